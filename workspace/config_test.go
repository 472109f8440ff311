package workspace

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// configDiags answers what a scan says of a broken mooring.hcl, one "file:line summary: detail" a line.
func configDiags(t *testing.T, opts ScannerOptions, archive string) (string, *ConfigError) {
	t.Helper()
	_, err := NewScanner(opts).Scan(context.Background(), treeOf(archive))
	if err == nil {
		return "", nil
	}
	var broken *ConfigError
	if !errors.As(err, &broken) {
		t.Fatalf("want a ConfigError, got %v", err)
	}
	var out []string
	for _, d := range broken.Diags {
		line := d.Summary + ": " + d.Detail
		if d.Subject != nil {
			line = fmt.Sprintf("%s:%d %s", d.Subject.Filename, d.Subject.Start.Line, line)
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n"), broken
}

const twoRoots = `
-- a/main.tf --
output "x" { value = 1 }
-- b/main.tf --
output "y" { value = 1 }
-- k8s/x.yaml --
x: 1
`

func TestBadConfiguration(t *testing.T) {
	cases := []struct{ name, config, want string }{
		{"unknown key", "workspace \"w\" {\n  dir = \"a\"\n  worskpace = \"prod\"\n}", `mooring.hcl:3 Unsupported argument: An argument named "worskpace" is not expected here. Did you mean "workspace"?`},
		{"unknown block", "workspaces \"w\" {}", `mooring.hcl:1 Unsupported block type: Blocks of type "workspaces" are not expected here. Did you mean "workspace"?`},
		{"unknown key at the top", "discovery = false", `mooring.hcl:1 Unsupported argument: An argument named "discovery" is not expected here. Did you mean "discover"?`},
		{"wrong type: dir", "workspace \"w\" {\n  dir = 3\n}", `mooring.hcl:2 Wrong type: dir must be a string.`},
		{"wrong type: discover", "discover = \"no\"", `mooring.hcl:1 Wrong type: discover must be true or false.`},
		{"wrong type: var_files", "workspace \"w\" {\n  dir = \"a\"\n  var_files = \"x\"\n}", `mooring.hcl:3 Wrong type: var_files must be a list of strings.`},
		{"wrong type: backend_config", "workspace \"w\" {\n  dir = \"a\"\n  backend_config = \"x\"\n}", `mooring.hcl:3 Wrong type: backend_config must be a map of values, or a list of files.`},
		{"wrong type: depends_on", "workspace \"w\" {\n  dir = \"a\"\n  depends_on = workspace.b\n}", `mooring.hcl:3 Wrong type: depends_on must be a list such as [workspace.network].`},
		{"depends_on in quotes", "workspace \"w\" {\n  dir = \"a\"\n  depends_on = [\"b\"]\n}", `mooring.hcl:3 Not a unit: depends_on lists units: workspace.NAME, workspace["id"], manifests.NAME or manifests["id"], without quotes around them.`},
		{"wrong type: prune", "manifests \"m\" {\n  path = \"k8s\"\n  prune = \"yes\"\n}", `mooring.hcl:3 Wrong type: prune must be true or false.`},
		{"missing dir", "workspace \"w\" {}", `mooring.hcl:1 Missing dir: A workspace block says its directory: dir = "…".`},
		{"two blocks of one label", "workspace \"w\" {\n  dir = \"a\"\n}\nworkspace \"w\" {\n  dir = \"b\"\n}", `mooring.hcl:4 Duplicate id: workspace "w" was declared in line 1 already.`},
		{"one id for two kinds", "workspace \"w\" {\n  dir = \"a\"\n}\nmanifests \"w\" {\n  path = \"k8s\"\n}", `mooring.hcl:4 Duplicate id: The id "w" is taken: it was declared as workspace in line 1 already. Ids are one set for workspaces and manifests.`},
		{"the id of a found root module", "workspace \"b\" {\n  dir = \"a\"\n}", `mooring.hcl:1 Duplicate id: The id "b" is that of the root module found in b.`},
		{"the id of the found manifests", "workspace \"k8s\" {\n  dir = \"a\"\n}", `mooring.hcl:1 Duplicate id: The id "k8s" is that of the manifests found in k8s/; give one of them another name.`},
		{"dangling reference", "workspace \"w\" {\n  dir = \"a\"\n  variables = { x = workspace.bb.outputs.y }\n}", `mooring.hcl:3 Dangling reference: There is no workspace "bb". Did you mean "b"?`},
		{"dangling dependency", "workspace \"w\" {\n  dir = \"a\"\n  depends_on = [manifests.k9s]\n}", `mooring.hcl:3 Dangling reference: There is no manifest set "k9s". Did you mean "k8s"?`},
		{"a unit of the other kind", "workspace \"w\" {\n  dir = \"a\"\n  depends_on = [workspace.k8s]\n}", `mooring.hcl:3 Dangling reference: "k8s" is a unit of the kind manifests, not workspace.`},
		{"an output that is not declared", "workspace \"w\" {\n  dir = \"a\"\n  variables = { x = workspace.b.outputs.yy }\n}", `mooring.hcl:3 No such output: The root module b declares no output "yy". Did you mean "y"?`},
		{"not an output", "workspace \"w\" {\n  dir = \"a\"\n  variables = { x = workspace.b.output.y }\n}", `mooring.hcl:3 Not an output: Only outputs of a workspace can be used: workspace.b.outputs.NAME.`},
		{"outputs of manifests", "workspace \"w\" {\n  dir = \"a\"\n  variables = { x = manifests.k8s.outputs.y }\n}", `mooring.hcl:3 Manifests have no outputs: Only workspaces have outputs; to run after manifests, name them in depends_on.`},
		{"all workspaces at once", "workspace \"w\" {\n  dir = \"a\"\n  variables = { x = keys(workspace) }\n}", `mooring.hcl:3 No unit named: Name one: workspace.NAME or workspace["id"].`},
		{"a unit that is told too late", "workspace \"w\" {\n  dir = \"a\"\n  variables = { x = [for k in [\"b\"] : workspace[k].outputs.y] }\n}", `mooring.hcl:3 Unit not known in time: Which unit workspace[…] names must be told by the text and each.match alone, because it orders the run. There is no variable named "k".`},
		{"an output that decides what runs", "workspace \"w\" {\n  dir = workspace.b.outputs.y\n}", `mooring.hcl:2 Not known in time: dir decides what Mooring runs, so it cannot come from an output.`},
		{"each without a glob", "workspace \"w\" {\n  dir = \"a\"\n  workspace = each.match[0]\n}", `mooring.hcl:3 No each here: each.match is what a glob's wildcards stood for, and this block has a plain directory.`},
		{"each without a glob, in variables", "workspace \"w\" {\n  dir = \"a\"\n  variables = { x = each.match[0] }\n}", `mooring.hcl:3 No each here: each.match is what a glob's wildcards stood for, and this block has a plain directory.`},
		{"missing var file", "workspace \"w\" {\n  dir = \"a\"\n  var_files = [\"prod.tfvars\"]\n}", `mooring.hcl:3 Missing var file: There is no file a/prod.tfvars in the repository; paths start at a.`},
		{"var file outside the repository", "workspace \"w\" {\n  dir = \"a\"\n  var_files = [\"../../x.tfvars\"]\n}", `mooring.hcl:3 Bad var file: "../../x.tfvars" lies outside the repository.`},
		{"missing backend file", "workspace \"w\" {\n  dir = \"a\"\n  backend_config = [\"x.hcl\"]\n}", `mooring.hcl:3 Missing backend configuration file: There is no file a/x.hcl in the repository; paths start at a.`},
		{"a directory outside the repository", "workspace \"w\" {\n  dir = \"../a\"\n}", `mooring.hcl:2 Bad dir: "../a" lies outside the repository.`},
		{"an absolute directory", "workspace \"w\" {\n  dir = \"/etc\"\n}", `mooring.hcl:2 Bad dir: "/etc" is an absolute path; paths start at the top of the repository.`},
		{"a directory that is not there", "workspace \"w\" {\n  dir = \"aa\"\n}", `mooring.hcl:2 No such directory: There is no directory aa in the repository. Did you mean "a"?`},
		{"a directory without Terraform files", "workspace \"w\" {\n  dir = \"k8s\"\n}", `mooring.hcl:2 No Terraform files: The directory k8s has no *.tf or *.tf.json file.`},
		{"manifests that are not there", "manifests \"m\" {\n  path = \"k8s/apps\"\n}", `mooring.hcl:2 No such directory: There is no directory k8s/apps in the repository.`},
		{"manifests that are a file", "manifests \"m\" {\n  path = \"k8s/x.yaml\"\n}", `mooring.hcl:2 Not a directory: k8s/x.yaml is a file; name the directory of the manifests.`},
		{"auto_apply", "workspace \"w\" {\n  dir = \"a\"\n  auto_apply = \"no-destroy\"\n}", `mooring.hcl:3 Bad auto_apply: "no-destroy" is none of always, no_destroy, never. Did you mean "no_destroy"?`},
		{"tool", "workspace \"w\" {\n  dir = \"a\"\n  tool = \"opentofu\"\n}", `mooring.hcl:3 Bad tool: "opentofu" is none of terraform, tofu.`},
		{"a Terraform workspace that climbs", "workspace \"w\" {\n  dir = \"a\"\n  workspace = \"../x\"\n}", `mooring.hcl:3 Bad Terraform workspace: "../x" climbs with "..".`},
		{"a Terraform workspace with a space", "workspace \"w\" {\n  dir = \"a\"\n  workspace = \"a b\"\n}", `mooring.hcl:3 Bad Terraform workspace: "a b" holds ' ', which Terraform does not take in a workspace name.`},
		{"a label like a flag", "workspace \"-destroy\" {\n  dir = \"a\"\n}", `mooring.hcl:1 Bad name: "-destroy" begins with "-".`},
		{"a label with a control character", "workspace \"a\\u001b\" {\n  dir = \"a\"\n}", "mooring.hcl:1 Bad name: \"a\\x1b\" holds the character U+001B."},
		{"unknown cluster", "manifests \"m\" {\n  path = \"k8s\"\n  cluster = \"prdo\"\n}", `mooring.hcl:3 Unknown cluster: The server's configuration offers no cluster "prdo". Did you mean "prod"?`},
		{"two clusters", "manifests \"m\" {\n  path = \"k8s\"\n  cluster = \"prod\"\n  kubeconfig = workspace.a.outputs.x\n}", `mooring.hcl:4 Two clusters: Say cluster or kubeconfig, not both.`},
		{"kubeconfig that is no output", "manifests \"m\" {\n  path = \"k8s\"\n  kubeconfig = \"/root/.kube/config\"\n}", `mooring.hcl:3 Not an output: kubeconfig comes from an output: workspace.NAME.outputs.NAME. For a cluster of the server's configuration say cluster.`},
		{"bad duration", "manifests \"m\" {\n  path = \"k8s\"\n  timeout = \"5\"\n}", `mooring.hcl:3 Bad duration: timeout = "5" is no duration such as "90s", "10m" or "6h".`},
		{"bad drift", "drift { every = \"often\" }", `mooring.hcl:1 Bad duration: every = "often" is no duration such as "90s", "10m" or "6h".`},
		{"no function reads the environment", "workspace \"w\" {\n  dir = env(\"HOME\")\n}", `mooring.hcl:2 Call to unknown function: There is no function named "env".`},
		{"no function reads files", "workspace \"w\" {\n  dir = file(\"/etc/hostname\")\n}", `mooring.hcl:2 Call to unknown function: There is no function named "file". Did you mean "title"?`},
		{"syntax", "workspace \"w\" {\n  dir = \n}", `mooring.hcl:2 Invalid expression: Expected the start of an expression, but found an invalid expression token.`},
		{"a cycle", "workspace \"one\" {\n  dir = \"a\"\n  depends_on = [workspace.two]\n}\nworkspace \"two\" {\n  dir = \"b\"\n  variables = { v = workspace.one.outputs.x }\n}",
			`mooring.hcl:7 cycle: one -> two -> one: two waits for one (outputs, mooring.hcl:7); one waits for two (depends_on, mooring.hcl:3).`},
		{"a unit that waits for itself", "workspace \"one\" {\n  dir = \"a\"\n  depends_on = [workspace.one]\n}", `mooring.hcl:3 cycle: one -> one: one waits for one (depends_on, mooring.hcl:3).`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, _ := configDiags(t, ScannerOptions{Clusters: []string{"prod"}}, "-- mooring.hcl --\n"+c.config+"\n"+twoRoots)
			if got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAllMistakesAtOnceWithSnippets(t *testing.T) {
	got, broken := configDiags(t, ScannerOptions{}, `
-- mooring.hcl --
workspace "one" {
  dir        = "a"
  auto_apply = "sometimes"
  depnds_on  = []
}
workspace "two" {
  dir       = "nowhere"
}
workspace "three" {
  dir       = "b"
  variables = { x = workspace.four.outputs.x, y = workspace.two.outputs.x }
}
manifests "apps" {
  path  = "k8s"
  prune = 3
}
`+twoRoots)
	want := strings.TrimSpace(`
mooring.hcl:3 Bad auto_apply: "sometimes" is none of always, no_destroy, never.
mooring.hcl:4 Unsupported argument: An argument named "depnds_on" is not expected here. Did you mean "depends_on"?
mooring.hcl:7 No such directory: There is no directory nowhere in the repository.
mooring.hcl:11 Dangling reference: There is no workspace "four".
mooring.hcl:15 Wrong type: prune must be true or false.`)
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	var b strings.Builder
	if err := broken.Print(&b, 0, false); err != nil {
		t.Fatal(err)
	}
	for _, snippet := range []string{`3:   auto_apply = "sometimes"`, `7:   dir       = "nowhere"`, `15:   prune = 3`} {
		if !strings.Contains(b.String(), snippet) {
			t.Errorf("no snippet %q in\n%s", snippet, b.String())
		}
	}
	if text := broken.Error(); !strings.HasPrefix(text, "mooring.hcl:3: Bad auto_apply") || !strings.HasSuffix(text, "(and 4 more)") {
		t.Errorf("Error() is %q", text)
	}
}

func TestACycleThroughRemoteStatesShowsTheTerraformFile(t *testing.T) {
	got, broken := configDiags(t, ScannerOptions{}, `
-- a/main.tf --
data "terraform_remote_state" "b" {
  backend = "local"
  config  = { path = "../b/terraform.tfstate" }
}
-- b/main.tf --
data "terraform_remote_state" "c" {
  backend = "local"
  config  = { path = "../c/terraform.tfstate" }
}
-- c/main.tf --
data "terraform_remote_state" "a" {
  backend = "local"
  config  = { path = "../a/terraform.tfstate" }
}
-- d/main.tf --
data "terraform_remote_state" "a" {
  backend = "local"
  config  = { path = "../a/terraform.tfstate" }
}
`)
	if !strings.Contains(got, "cycle: a -> c -> b -> a") || strings.Count(got, "cycle:") != 1 {
		t.Errorf("got %s", got)
	}
	var b strings.Builder
	if err := broken.Print(&b, 0, false); err != nil || !strings.Contains(b.String(), `data "terraform_remote_state"`) {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestTwoKnotsAreTwoCycles(t *testing.T) {
	got, _ := configDiags(t, ScannerOptions{}, `
-- mooring.hcl --
workspace "a1" {
  dir = "a"
  depends_on = [workspace.a2]
}
workspace "a2" {
  dir = "b"
  depends_on = [workspace.a1]
}
workspace "b1" {
  dir = "c"
  depends_on = [workspace.b2, workspace.a1]
}
workspace "b2" {
  dir = "d"
  depends_on = [workspace.b1]
}
-- a/main.tf --
-- b/main.tf --
-- c/main.tf --
-- d/main.tf --
`)
	if !strings.Contains(got, "cycle: a1 -> a2 -> a1") || !strings.Contains(got, "cycle: b1 -> b2 -> b1") {
		t.Errorf("got %s", got)
	}
}

func TestBlocksAddToWhatIsFound(t *testing.T) {
	cases := []struct{ name, archive, want string }{
		{"a named directory is only what its block says", "-- mooring.hcl --\nworkspace \"w\" {\n  dir = \"a\"\n}\n" + twoRoots, "b k8s w"},
		{"two blocks for one directory", "-- mooring.hcl --\nworkspace \"dev\" {\n  dir = \"a\"\n  workspace = \"dev\"\n}\nworkspace \"prod\" {\n  dir = \"a\"\n  workspace = \"prod\"\n}\n" + twoRoots, "b dev k8s prod"},
		{"discover = false", "-- mooring.hcl --\ndiscover = false\nworkspace \"w\" {\n  dir = \"a\"\n}\n" + twoRoots, "w"},
		{"a trailing slash names the same directory", "-- mooring.hcl --\nworkspace \"w\" {\n  dir = \"./a/\"\n}\n" + twoRoots, "b k8s w"},
		{"a module that a block names", "-- mooring.hcl --\nworkspace \"w\" {\n  dir = \"modules/m\"\n}\n-- modules/m/main.tf --\n", "w"},
		{"manifests of a block in the place of k8s/", "-- mooring.hcl --\nmanifests \"m\" {\n  path = \"k8s\"\n}\n" + twoRoots, "a b m"},
		{"nothing left of k8s/", "-- mooring.hcl --\nmanifests \"m\" {\n  path = \"k8s/m\"\n}\n-- k8s/m/x.yaml --\nx: 1\n", "m"},
		{"a base that an overlay of a block uses is no set", "-- mooring.hcl --\nmanifests \"m\" {\n  path = \"k8s/prod\"\n}\n-- k8s/prod/kustomization.yaml --\nresources: [../base]\n-- k8s/base/kustomization.yaml --\nresources: [x.yaml]\n-- k8s/base/x.yaml --\nx: 1\n", "m"},
		{"k8s/ without manifests", "-- k8s/README --\nx\n", ""},
		{"k8s/ deeper down is not at the top", "-- a/k8s/x.yaml --\nx: 1\n", ""},
		{"a glob", "-- mooring.hcl --\nworkspace \"all\" {\n  dir = \"t/*/infra\"\n}\n-- t/a/infra/main.tf --\n-- t/b/infra/main.tf --\n-- t/c/other/main.tf --\n-- t/d/infra/readme --\n", "t/a/infra t/b/infra t/c/other"},
		{"a glob with a Terraform workspace", "-- mooring.hcl --\nworkspace \"all\" {\n  dir = \"t/*\"\n  workspace = \"prod\"\n}\n-- t/a/main.tf --\n", "t/a:prod"},
		{"two globs, two Terraform workspaces", "-- mooring.hcl --\nworkspace \"p\" {\n  dir = \"t/*\"\n  workspace = \"prod\"\n}\nworkspace \"d\" {\n  dir = \"t/*\"\n}\n-- t/a/main.tf --\n", "t/a t/a:prod"},
		{"a plain block before a glob", "-- mooring.hcl --\nworkspace \"all\" {\n  dir = \"t/*\"\n}\nworkspace \"special\" {\n  dir = \"t/b\"\n}\n-- t/a/main.tf --\n-- t/b/main.tf --\n", "special t/a"},
		{"** takes root modules at any depth", "-- mooring.hcl --\nworkspace \"all\" {\n  dir = \"live/**\"\n}\n-- live/a/main.tf --\n-- live/x/y/b/main.tf --\n-- live/modules/m/main.tf --\n", "live/a live/x/y/b"},
		{"a glob of manifests", "-- mooring.hcl --\nmanifests \"all\" {\n  path = \"apps/*\"\n}\n-- apps/a/x.yaml --\nx: 1\n-- apps/b/deep/x.yaml --\nx: 1\n-- apps/c/readme --\nx\n", "apps/a apps/b"},
		{"a label with a slash", "-- mooring.hcl --\nworkspace \"team/net\" {\n  dir = \"a\"\n}\nworkspace \"w\" {\n  dir = \"b\"\n  depends_on = [workspace[\"team/net\"]]\n}\n" + twoRoots, "k8s team/net w"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := unitIDs(scanArchive(t, c.archive)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestNamesAndIdsAreTheSameObject(t *testing.T) {
	g := scanArchive(t, `
-- mooring.hcl --
workspace "net" { dir = "a" }
workspace "one" {
  dir = "b"
  variables = { v = workspace.net.outputs.x }
}
workspace "two" {
  dir = "c"
  variables = { v = workspace["net"].outputs["x"], w = workspace["live/d"].outputs.z }
}
workspace "many" { dir = "t/*" }
workspace "last" {
  dir = "e"
  depends_on = [workspace.many, manifests.k8s]
}
-- a/main.tf --
output "x" { value = 1 }
-- b/main.tf --
-- c/main.tf --
-- live/d/main.tf --
output "z" { value = 1 }
-- e/main.tf --
-- t/one/main.tf --
-- t/two/main.tf --
-- k8s/x.yaml --
x: 1
`)
	want := strings.TrimSpace(`
k8s>last depends_on
t/one>last depends_on
t/two>last depends_on
net>one outputs
live/d>two outputs
net>two outputs`)
	if got := edges(g); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if got, want := join(g.Order()), "k8s live/d net one t/one t/two last two"; got != want {
		t.Errorf("order %q, want %q", got, want)
	}
	if up, down := join(g.Upstream("two")), join(g.Downstream("net")); up != "live/d net" || down != "one two" {
		t.Errorf("upstream of two %q, downstream of net %q", up, down)
	}
}

func TestAGlobWithoutAMatchIsAWarning(t *testing.T) {
	g := scanArchive(t, "-- mooring.hcl --\nworkspace \"w\" {\n  dir = \"tenants/*\"\n}\nmanifests \"m\" {\n  path = \"apps/*\"\n}\n")
	if got, want := warnings(g), "mooring.hcl:1: workspace \"w\": no root module matches tenants/*\nmooring.hcl:4: manifests \"m\": no directory with manifests matches apps/*"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestGlobMatches(t *testing.T) {
	cases := []struct{ glob, path, want string }{
		{"t/*/infra", "t/a/infra", "a"},
		{"t/*/infra", "t/a/b/infra", "no"},
		{"*/*", "a/b", "a,b"},
		{"env-*/net", "env-prod/net", "prod"},
		{"live/**", "live/a/b", "a/b"},
		{"live/**", "live", ""},
		{"live/**", "liver/a", "no"},
		{"**/infra", "infra", ""},
		{"**/infra", "a/b/infra", "a/b"},
		{"a/**/b/*", "a/x/y/b/c", "x/y,c"},
		{"a/**/b/*", "a/b/c", ",c"},
		{"a.b/*", "axb/c", "no"},
		{"**", "a/b", "a/b"},
	}
	for _, c := range cases {
		match, ok := newGlob(c.glob).match(c.path)
		got := strings.Join(match, ",")
		if !ok {
			got = "no"
		}
		if got != c.want {
			t.Errorf("%s on %s: got %q, want %q", c.glob, c.path, got, c.want)
		}
	}
}

func TestManifestSettings(t *testing.T) {
	g := scanArchive(t, `
-- mooring.hcl --
manifests "m" {
  path      = "k8s/m"
  prune     = false
  force     = true
  namespace = "web"
  timeout   = "90s"
  kubeconfig = workspace.a.outputs.x
}
manifests "plain" { path = "k8s" }
`+twoRoots+`
-- k8s/m/x.yaml --
x: 1
`)
	m, plain := g.Unit("m"), g.Unit("plain")
	if m.Prune || !m.Force || m.Namespace != "web" || m.Timeout.Seconds() != 90 || !m.Kubeconfig || m.Line != 1 || m.File != "mooring.hcl" {
		t.Errorf("m is %+v", m)
	}
	if !plain.Prune || plain.Force || plain.Cluster != "" || join(plain.Exclude) != "k8s/m" {
		t.Errorf("plain is %+v", plain)
	}
	if got := edges(g); got != "a>m outputs" {
		t.Errorf("edges %q", got)
	}
}
