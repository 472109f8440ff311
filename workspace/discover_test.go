package workspace

import (
	"errors"
	"strings"
	"testing"
)

func TestRootModulesAreFound(t *testing.T) {
	const backend = "terraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key = \"k\"\n  }\n}\n"
	cases := []struct{ name, archive, want string }{
		{"a lone directory", "-- a/main.tf --\n", "a"},
		{"the top of the repository", "-- main.tf --\n", "."},
		{"JSON syntax alone", "-- a/main.tf.json --\n{}\n", "a"},
		{"no Terraform files", "-- a/main.txt --\nx\n-- b/terraform.tfvars --\n", ""},
		{"hidden files and leftovers are none", "-- a/.main.tf --\n-- b/main.tf~ --\n-- c/#main.tf# --\n", ""},
		{"a used directory is no root", "-- a/main.tf --\nmodule \"b\" {\n  source = \"../b\"\n}\n-- b/main.tf --\n", "a"},
		{"used from JSON", "-- a/main.tf.json --\n{\"module\": {\"b\": {\"source\": \"../b\"}}}\n-- b/main.tf --\n", "a"},
		{"used with a trailing slash", "-- a/main.tf --\nmodule \"b\" {\n  source = \"../b/\"\n}\n-- b/main.tf --\n", "a"},
		{"used with a double slash", "-- a/main.tf --\nmodule \"b\" {\n  source = \"..//lib/b\"\n}\n-- lib/b/main.tf --\n", "a"},
		{"used through a link", "-- a/main.tf --\nmodule \"b\" {\n  source = \"./b\"\n}\n-- a/b --\n-> ../lib/b\n-- lib/b/main.tf --\n", "a"},
		{"used, but with a backend", "-- a/main.tf --\nmodule \"b\" {\n  source = \"../b\"\n}\n-- b/main.tf --\n" + backend, "a b"},
		{"used, but with a provider block", "-- a/main.tf --\nmodule \"b\" {\n  source = \"../b\"\n}\n-- b/main.tf --\nprovider \"x\" {}\n", "a b"},
		{"used, but with a lock file", "-- a/main.tf --\nmodule \"b\" {\n  source = \"../b\"\n}\n-- b/main.tf --\n-- b/.terraform.lock.hcl --\n", "a b"},
		{"used, but with a cloud block in JSON", "-- a/main.tf --\nmodule \"b\" {\n  source = \"../b\"\n}\n-- b/main.tf.json --\n{\"terraform\":{\"cloud\":{}}}\n", "a b"},
		{"below modules/ and unused", "-- modules/x/main.tf --\n-- lib/modules/y/deep/main.tf --\n", ""},
		{"below modules/ with a backend", "-- modules/x/main.tf --\n" + backend, "modules/x"},
		{"modules itself is not below modules/", "-- modules/main.tf --\n", "modules"},
		{"a name that only begins like it", "-- modules2/x/main.tf --\n", "modules2/x"},
		{"used by itself only", "-- a/main.tf --\nmodule \"me\" {\n  source = \"../a\"\n}\n", "a"},
		{"two that use each other are none", "-- a/main.tf --\nmodule \"b\" {\n  source = \"../b\"\n}\n-- b/main.tf --\nmodule \"a\" {\n  source = \"../a\"\n}\n", ""},
		{"what init left behind", "-- a/main.tf --\n-- a/.terraform/modules/x/main.tf --\n", "a"},
		{"an override file gives the backend", "-- modules/a/main.tf --\n-- modules/a/backend_override.tf --\n" + backend, "modules/a"},
		{"a source that is a registry's", "-- a/main.tf --\nmodule \"b\" {\n  source = \"b/x/y\"\n}\n-- b/main.tf --\n", "a b"},
		{"a caller that does not parse still uses", "-- a/main.tf --\nmodule \"b\" {\n  source = \"../b\"\n\nresource {\n-- b/main.tf --\n", "a"},
		{"one in another", "-- a/main.tf --\n-- a/b/main.tf --\n", "a a/b"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := unitIDs(scanArchive(t, c.archive)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestABrokenRootModuleStopsOnlyItself(t *testing.T) {
	g := scanArchive(t, `
-- a/main.tf --
resource "x" {
-- b/main.tf --
output "ok" { value = 1 }
-- c/terraform.tfvars --
a = = 2
-- c/main.tf --
-- d/main.tf --
module "broken" { source = "../modules/m" }
-- modules/m/main.tf --
locals {
  x = [1,
}
`)
	if got := unitIDs(g); got != "a b c d" {
		t.Fatalf("units %q", got)
	}
	if g.Unit("b").Err != nil {
		t.Errorf("b: %v", g.Unit("b").Err)
	}
	for id, file := range map[string]string{"a": "a/main.tf", "c": "c/terraform.tfvars", "d": "modules/m/main.tf"} {
		var broken *ConfigError
		if !errors.As(g.Unit(id).Err, &broken) {
			t.Errorf("%s: want a ConfigError, got %v", id, g.Unit(id).Err)
			continue
		}
		var b strings.Builder
		if err := broken.Print(&b, 0, false); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "on "+file+" line") {
			t.Errorf("%s: no snippet of %s in\n%s", id, file, b.String())
		}
	}
}

func TestFilesOfEqualContentAreShownUnderTheirOwnNames(t *testing.T) {
	g := scanArchive(t, "-- a/main.tf --\nresource {\n-- b/main.tf --\nresource {\n")
	for _, id := range []string{"a", "b"} {
		if err := g.Unit(id).Err; err == nil || !strings.Contains(err.Error(), id+"/main.tf:") {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestRemoteExecutionIsRefusedWithTheReason(t *testing.T) {
	g := scanArchive(t, `
-- a/main.tf --
terraform {
  cloud {
    organization = "x"
  }
}
-- b/main.tf --
terraform {
  backend "remote" {}
}
-- c/main.tf --
`)
	for _, id := range []string{"a", "b"} {
		var refused *RefusedError
		if !errors.As(g.Unit(id).Err, &refused) || refused.Line != 2 || refused.File != id+"/main.tf" || refused.Reason == "" {
			t.Errorf("%s: %#v", id, g.Unit(id).Err)
		}
	}
	if g.Unit("c").Err != nil {
		t.Errorf("c: %v", g.Unit("c").Err)
	}
}

func TestWhatARootModuleSays(t *testing.T) {
	g := scanArchive(t, `
-- mooring.hcl --
workspace "a" {
  dir  = "a"
  tool = "tofu"
}
-- a/main.tf --
terraform {
  required_version = ">= 1.3"
  required_providers {
    random = { source = "hashicorp/random", version = "3.1.0" }
  }
}
variable "secret" {
  sensitive = true
}
variable "open" {}
output "one" { value = 1 }
module "m" { source = "../m" }
-- a/more.tf.json --
{"terraform": {"required_version": "< 2.0"}, "output": {"two": {"value": 2}}}
-- a/.terraform.lock.hcl --
# lock
-- m/main.tf --
terraform {
  required_version = ">= 1.5"
  required_providers {
    null = { source = "hashicorp/null" }
  }
}
`)
	m := g.Unit("a").Module
	for _, c := range []struct{ what, got, want string }{
		{"versions", join(m.RequiredVersion), "< 2.0 >= 1.3 >= 1.5"},
		{"providers", join(m.Providers), "hashicorp/null hashicorp/random"},
		{"sensitive", join(m.SensitiveVariables), "secret"},
		{"outputs", join(m.Outputs), "one two"},
		{"modules", join(m.ModuleDirs), "a m"},
		{"tool", m.Tool, "tofu"},
		{"local state", join(m.LocalStatePaths), "a/terraform.tfstate"},
		{"backend", m.Backend.Type, "local"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, c.got, c.want)
		}
	}
	if !m.HasLockFile || m.Backend.Declared {
		t.Errorf("lock file %v, declared backend %v", m.HasLockFile, m.Backend.Declared)
	}
}

func TestInitInputsChangeExactlyWithWhatInitDependsOn(t *testing.T) {
	base := treeOf(`
-- a/main.tf --
terraform {
  backend "s3" {
    bucket = "b"
    key    = "k"
  }
  required_providers {
    random = { source = "hashicorp/random", version = "3.1.0" }
  }
}
module "m" { source = "../m" }
resource "random_pet" "p" {}
-- a/.terraform.lock.hcl --
# one
-- m/main.tf --
resource "null_resource" "x" {}
-- a/x.auto.tfvars --
n = 1
`)
	digest := func(tree Tree) string { return string(scanTree(t, tree).Unit("a").Module.InitInputs) }
	first := digest(base)
	cases := []struct {
		name, change string
		differs      bool
	}{
		{"nothing", "", false},
		{"a resource of the same provider", "-- m/main.tf --\nresource \"null_resource\" \"y\" {}\n", false},
		{"a variable's value", "-- a/x.auto.tfvars --\nn = 2\n", false},
		{"the lock file", "-- a/.terraform.lock.hcl --\n# two\n", true},
		{"a provider that a resource implies", "-- m/main.tf --\nresource \"local_file\" \"x\" {}\n", true},
		{"a module call", "-- m/main.tf --\nresource \"null_resource\" \"x\" {}\nmodule \"n\" {\n  source = \"x/y/z\"\n}\n", true},
		{"a built-in resource", "-- m/main.tf --\nresource \"null_resource\" \"x\" {}\nresource \"terraform_data\" \"x\" {}\n", false},
		{"the backend", "-- a/b_override.tf --\nterraform {\n  backend \"s3\" {\n    bucket = \"c\"\n    key = \"k\"\n  }\n}\n", true},
		{"a block inside the backend", "-- a/b_override.tf --\nterraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key = \"k\"\n    assume_role {\n      role_arn = \"x\"\n    }\n  }\n}\n", true},
		{"the tool", "-- mooring.hcl --\nworkspace \"a\" {\n  dir = \"a\"\n  tool = \"tofu\"\n}\n", true},
		{"partial configuration", "-- mooring.hcl --\nworkspace \"a\" {\n  dir = \"a\"\n  backend_config = { region = \"x\" }\n}\n", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := digest(base.with(c.change)) != first; got != c.differs {
				t.Errorf("differs: %v, want %v", got, c.differs)
			}
		})
	}
}
