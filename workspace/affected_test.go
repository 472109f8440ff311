package workspace

import (
	"strings"
	"testing"
)

func TestWhatAChangedFileAffects(t *testing.T) {
	cases := []struct {
		name, archive string
		path, want    string
	}{
		{"its own root", "-- a/main.tf --\n-- b/main.tf --\n", "a/main.tf", "a"},
		{"a file that was deleted", "-- a/main.tf --\n-- b/main.tf --\n", "a/gone.tf", "a"},
		{"tfvars", "-- a/main.tf --\n-- a/terraform.tfvars --\n", "a/terraform.tfvars", "a"},
		{"automatic tfvars in JSON", "-- a/main.tf --\n-- a/x.auto.tfvars.json --\n{}\n", "a/x.auto.tfvars.json", "a"},
		{"the lock file", "-- a/main.tf --\n-- a/.terraform.lock.hcl --\n", "a/.terraform.lock.hcl", "a"},
		{"a script in the root", "-- a/main.tf --\n-- a/run.sh --\nx\n", "a/run.sh", "a"},
		{"a script below the root", "-- a/main.tf --\n-- a/scripts/run.sh --\nx\n", "a/scripts/run.sh", "a"},
		{"a file that belongs to nobody", "-- a/main.tf --\n-- docs/x.md --\nx\n", "docs/x.md", ""},
		{"a local module", "-- a/main.tf --\nmodule \"m\" {\n  source = \"../m\"\n}\n-- m/main.tf --\n-- b/main.tf --\n", "m/main.tf", "a"},
		{"a nested local module", `
-- a/main.tf --
module "m" { source = "../modules/m" }
-- modules/m/main.tf --
module "n" { source = "./n" }
-- modules/m/n/main.tf --
-- b/main.tf --
`, "modules/m/n/main.tf", "a"},
		{"JSON syntax all the way", `
-- a/main.tf.json --
{"module": {"m": {"source": "../modules/m"}}}
-- modules/m/main.tf.json --
{"module": {"n": [{"source": "../n"}]}}
-- modules/n/main.tf.json --
{}
`, "modules/n/main.tf.json", "a"},
		// Two "../x" under different parents are two modules.
		{"the same relative path below different parents: first", sameRelative, "one/x/main.tf", "a"},
		{"the same relative path below different parents: second", sameRelative, "two/x/main.tf", "a"},
		{"a module behind a linked directory", `
-- a/main.tf --
module "m" { source = "./mods/m" }
-- a/mods --
-> ../shared
-- shared/m/main.tf --
module "sibling" { source = "../sibling" }
-- shared/sibling/main.tf --
`, "shared/sibling/main.tf", "a"},
		{"the link itself", "-- a/main.tf --\nmodule \"m\" {\n  source = \"./m\"\n}\n-- a/sub/x --\n-- a/m --\n-> ../shared\n-- shared/main.tf --\n", "a/m", "a"},
		{"a linked file", "-- a/common.tf --\n-> ../shared/common.tf\n-- shared/common.tf --\n-- shared/x.txt --\nx\n", "shared/common.tf", "a shared"},
		{"a linked tfvars file", "-- a/main.tf --\n-- a/terraform.tfvars --\n-> ../env/prod.tfvars\n-- env/prod.tfvars --\n", "env/prod.tfvars", "a"},
		{"file()", "-- a/main.tf --\nlocals {\n  x = file(\"../data/x.txt\")\n}\n-- data/x.txt --\nx\n", "data/x.txt", "a"},
		{"file() of path.root", "-- a/main.tf --\nlocals {\n  x = file(\"${path.root}/../data/x.txt\")\n}\n-- data/x.txt --\nx\n", "data/x.txt", "a"},
		{"templatefile() in a shared module", `
-- a/main.tf --
module "m" { source = "../modules/m" }
-- modules/m/main.tf --
resource "x" "y" {
  nested {
    deep = [for k in [1] : upper(templatefile("${path.module}/../templates/t.tpl", {}))]
  }
}
-- modules/templates/t.tpl --
t
`, "modules/templates/t.tpl", "a"},
		{"a relative path in a shared module starts at the root", `
-- a/main.tf --
module "m" { source = "../modules/m" }
-- modules/m/main.tf --
locals { x = filemd5("../data/x") }
-- data/x --
x
-- modules/data/x --
x
`, "data/x", "a"},
		{"fileset() with a pattern: matches", filesets, "data/sub/x.json", "a"},
		{"fileset() with a pattern: does not match", filesets, "data/sub/x.txt", ""},
		{"fileset() with a pattern: a new file", filesets, "data/new.json", "a"},
		{"file() in JSON syntax", `
-- a/main.tf.json --
{"locals": {"x": "${filebase64(\"${path.module}/../data/x\")}"}}
-- data/x --
x
`, "data/x", "a"},
		{"a path through locals and variable defaults", `
-- a/main.tf --
variable "env" { default = "prod" }
locals {
  dir = "../data/${var.env}"
  x   = file("${local.dir}/x")
}
-- data/prod/x --
x
`, "data/prod/x", "a"},
		{"a path through a module's argument", `
-- a/main.tf --
module "m" {
  source = "../modules/m"
  name   = "prod"
}
-- modules/m/main.tf --
variable "name" {}
locals { x = file("${path.module}/../../data/${var.name}/x") }
-- data/prod/x --
x
`, "data/prod/x", "a"},
		{"a directory that is only mentioned", "-- a/main.tf --\ndata \"archive_file\" \"z\" {\n  source_dir = \"${path.module}/../lambda\"\n}\n-- lambda/index.js --\nx\n", "lambda/index.js", "a"},
		{"a command that is only mentioned", "-- a/main.tf --\nresource \"terraform_data\" \"z\" {\n  provisioner \"local-exec\" {\n    command = \"${path.module}/../bin/run.sh --fast\"\n  }\n}\n-- bin/run.sh --\nx\n", "bin/run.sh", "a"},
		{"a module that is called and not there", "-- a/main.tf --\nmodule \"m\" {\n  source = \"../m\"\n}\n", "m/main.tf", "a"},
		{"a var file of a block", "-- mooring.hcl --\nworkspace \"w\" {\n  dir = \"a\"\n  var_files = [\"../env/prod.tfvars\"]\n}\n-- a/main.tf --\n-- env/prod.tfvars --\n", "env/prod.tfvars", "w"},
		{"a backend file of a block", "-- mooring.hcl --\nworkspace \"w\" {\n  dir = \"a\"\n  backend_config = [\"../env/prod.hcl\"]\n}\n-- a/main.tf --\nterraform {\n  backend \"s3\" {}\n}\n-- env/prod.hcl --\nbucket = \"b\"\nkey = \"k\"\n", "env/prod.hcl", "w"},
		{"mooring.hcl: what it declares", "-- mooring.hcl --\nworkspace \"w\" {\n  dir = \"a\"\n}\n-- a/main.tf --\n-- b/main.tf --\n", "mooring.hcl", "w"},
		{"manifests", "-- k8s/deep/x.yaml --\nx: 1\n-- a/main.tf --\n", "k8s/deep/x.yaml", "k8s"},
		{"manifests taken out by a block", "-- mooring.hcl --\nmanifests \"apps\" {\n  path = \"k8s/apps\"\n}\n-- k8s/apps/x.yaml --\nx: 1\n-- k8s/y.yaml --\ny: 1\n", "k8s/apps/x.yaml", "apps"},
		{"the base of an overlay", `
-- mooring.hcl --
manifests "prod" { path = "k8s/overlays/prod" }
-- k8s/overlays/prod/kustomization.yaml --
resources: [../../base]
-- k8s/base/kustomization.yaml --
resources: [app.yaml, ../../lib/common]
-- k8s/base/app.yaml --
x: 1
-- lib/common/kustomization.yaml --
configMapGenerator:
- name: x
  files: [key=../data.txt]
-- lib/data.txt --
x
`, "lib/data.txt", "prod"},
		{"manifests in a root's directory are not the root's", "-- mooring.hcl --\nmanifests \"m\" {\n  path = \"a/k8s\"\n}\n-- a/main.tf --\n-- a/k8s/x.yaml --\nx: 1\n", "a/k8s/x.yaml", "m"},
		{"hidden directories belong to nobody", "-- main.tf --\n-- .github/workflows/ci.yaml --\nx: 1\n", ".github/workflows/ci.yaml", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tree := treeOf(c.archive)
			g := scanTree(t, tree)
			if got := join(g.Direct([]string{c.path}, nil)); got != c.want {
				t.Errorf("affects %q, want %q", got, c.want)
			}
			if _, tracked := tree.files[c.path]; !tracked {
				return
			}
			files, err := g.Files(tree)
			if err != nil {
				t.Fatal(err)
			}
			if got := join(files[c.path]); got != c.want {
				t.Errorf("Files says %q, want %q", got, c.want)
			}
		})
	}
}

const sameRelative = `
-- a/main.tf --
module "one" { source = "../one/m" }
module "two" { source = "../two/m" }
-- one/m/main.tf --
module "x" { source = "../x" }
-- two/m/main.tf --
module "x" { source = "../x" }
-- one/x/main.tf --
-- two/x/main.tf --
`

const filesets = `
-- a/main.tf --
locals {
  all = { for f in fileset("${path.module}/../data", "**/*.json") : f => file("${path.module}/../data/${f}") }
}
-- data/sub/x.json --
{}
-- data/sub/x.txt --
x
`

func TestFilesetWithALoopIsPreciseAndSilent(t *testing.T) {
	noWarnings(t, scanArchive(t, filesets))
	g := scanArchive(t, `
-- a/main.tf --
resource "x" "y" {
  for_each = fileset("${path.module}/files", "**")
  source   = "${path.module}/files/${each.value}"
  etag     = filemd5("${path.module}/files/${each.value}")
}
-- a/files/one --
1
`)
	noWarnings(t, g)
	if got := join(g.Direct([]string{"a/files/two"}, nil)); got != "a" {
		t.Errorf("affects %q", got)
	}
}

func TestPathsThatCannotBeToldAreWarnings(t *testing.T) {
	g := scanArchive(t, `
-- a/main.tf --
variable "name" {}
locals {
  one   = file(var.name)
  two   = file("${path.module}/../data/${var.name}")
  three = file("/etc/passwd")
  four  = file("../../outside")
  five  = templatefile("missing.tpl", {})
  six   = fileexists("missing.txt")
}
-- data/x --
x
`)
	want := strings.TrimSpace(`
a/main.tf:3: file: its path cannot be told: var.name has no value in the repository
a/main.tf:4: file: its path cannot be told: var.name has no value in the repository
a/main.tf:5: file reads /etc/passwd, which is outside the repository: its changes are not seen
a/main.tf:6: file reads ../outside, which is outside the repository: its changes are not seen
a/main.tf:7: templatefile reads a/missing.tpl, which is not in the repository`)
	if got := warnings(g); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// What the constant part names is taken whole, so that nothing is missed.
	if got := join(g.Direct([]string{"data/x"}, nil)); got != "a" {
		t.Errorf("data/x affects %q", got)
	}
}

func TestModulesThatCannotBeReachedAreWarnings(t *testing.T) {
	g := scanArchive(t, `
-- a/main.tf --
module "gone" {
  source = "../gone"
}
module "outside" {
  source = "../../x"
}
module "link" {
  source = "./link"
}
-- a/link --
-> ../../../etc
`)
	want := strings.TrimSpace(`
a/main.tf:1: module "gone": there are no Terraform files in gone
a/main.tf:4: module "outside": ../../x lies outside the repository
a/main.tf:7: module "link": ./link lies outside the repository`)
	if got := warnings(g); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDependantsComeAlongInGraphOrder(t *testing.T) {
	g := scanArchive(t, designRepository)
	if got, want := join(g.Affected([]string{"tenants/b/infra/main.tf", "infra/db/main.tf"}, nil)), "db apps tenants/b/infra tenants/b/k8s"; strings.Join(sortedUnique(strings.Fields(got)), " ") != strings.Join(sortedUnique(strings.Fields(want)), " ") {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := join(g.Direct([]string{"tenants/b/infra/main.tf"}, nil)); got != "tenants/b/infra" {
		t.Errorf("direct %q", got)
	}
	if got := join(g.WithDependants([]string{"nobody", "network"})); got != "network cluster db apps" {
		t.Errorf("dependants %q", got)
	}
}

func TestAChangedMooringFileAffectsWhatItChanges(t *testing.T) {
	tree := treeOf(`
-- mooring.hcl --
workspace "one" {
  dir = "a"
  variables = { size = 1 }
}
workspace "two" { dir = "b" }
-- a/main.tf --
variable "size" {}
-- b/main.tf --
-- c/main.tf --
`)
	before := scanTree(t, tree)
	after := scanTree(t, tree.with(`
-- mooring.hcl --
# moved by a comment
workspace "two" { dir = "b" }
workspace "one" {
  dir = "a"
  variables = { size = 2 }
}
-- d/main.tf --
# new
`))
	if got := join(after.Direct([]string{"mooring.hcl", "d/main.tf"}, before)); got != "d one" {
		t.Errorf("with the graph before: %q", got)
	}
	if got := join(after.Direct([]string{"mooring.hcl"}, nil)); got != "one two" {
		t.Errorf("without it: %q", got)
	}
}
