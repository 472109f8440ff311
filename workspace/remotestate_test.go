package workspace

import (
	"strings"
	"testing"
)

// owner is a root module net with a backend; reader is what another root reads.
func TestRemoteStateIsMatchedToItsOwner(t *testing.T) {
	cases := []struct{ name, archive, want, warning string }{
		{"s3", `
-- net/main.tf --
terraform {
  backend "s3" {
    bucket = "b"
    key    = "net/terraform.tfstate"
    region = "eu-west-1"
  }
}
-- app/main.tf --
data "terraform_remote_state" "net" {
  backend = "s3"
  config = {
    bucket = "b"
    key    = "net/terraform.tfstate"
    region = "eu-west-1"
  }
}
`, "net>app remote_state", ""},
		{"another key", `
-- net/main.tf --
terraform {
  backend "s3" {
    bucket = "b"
    key    = "net"
  }
}
-- app/main.tf --
data "terraform_remote_state" "net" {
  backend = "s3"
  config  = { bucket = "b", key = "other" }
}
`, "", "app/main.tf:1: data.terraform_remote_state.net reads s3://b/other, which no workspace of this repository owns"},
		{"one side says the endpoint", `
-- net/main.tf --
terraform {
  backend "s3" {
    bucket = "b"
    key    = "net"
    endpoints = { s3 = "https://minio:9000" }
  }
}
-- app/main.tf --
data "terraform_remote_state" "net" {
  backend = "s3"
  config  = { bucket = "b", key = "net" }
}
`, "net>app remote_state", ""},
		{"two endpoints that differ", `
-- net/main.tf --
terraform {
  backend "s3" {
    bucket = "b"
    key    = "net"
    endpoints = { s3 = "https://minio:9000" }
  }
}
-- app/main.tf --
data "terraform_remote_state" "net" {
  backend = "s3"
  config  = { bucket = "b", key = "net", endpoint = "https://other:9000" }
}
`, "", "app/main.tf:1: data.terraform_remote_state.net reads s3://b/net, which no workspace of this repository owns"},
		{"locals, variable defaults and tfvars", `
-- net/main.tf --
terraform {
  backend "gcs" {
    bucket = "state-prod"
    prefix = "live/net"
  }
}
-- app/main.tf --
variable "env" { default = "dev" }
variable "team" { default = "live" }
locals {
  bucket = "state-${var.env}"
  config = { bucket = local.bucket, prefix = join("/", [var.team, "net"]) }
}
data "terraform_remote_state" "net" {
  backend = "gcs"
  config  = local.config
}
-- app/terraform.tfvars --
env = "prod"
`, "net>app remote_state", ""},
		{"locals from a YAML file", `
-- net/main.tf --
terraform {
  backend "azurerm" {
    storage_account_name = "acct"
    container_name       = "c"
    key                  = "net"
  }
}
-- app/main.tf --
locals { settings = yamldecode(file("${path.module}/../settings.yaml")) }
data "terraform_remote_state" "net" {
  backend = "azurerm"
  config  = merge(local.settings.state, { key = "net" })
}
-- settings.yaml --
state:
  storage_account_name: acct
  container_name: c
`, "net>app remote_state", ""},
		{"local backend by relative path", `
-- net/main.tf --
terraform {
  backend "local" {
    path = "state/net.tfstate"
  }
}
-- app/main.tf --
data "terraform_remote_state" "net" {
  backend = "local"
  config  = { path = "../net/state/net.tfstate" }
}
`, "net>app remote_state", ""},
		{"no backend at all, by path.module", `
-- net/main.tf --
output "x" { value = 1 }
-- app/main.tf --
data "terraform_remote_state" "net" {
  backend = "local"
  config  = { path = "${path.module}/../net/terraform.tfstate" }
}
`, "net>app remote_state", ""},
		{"inside a local module, by its argument", `
-- net/main.tf --
terraform {
  backend "s3" {
    bucket = "b"
    key    = "prod/net"
  }
}
-- app/main.tf --
locals { env = "prod" }
module "read" {
  source = "../modules/outer"
  env    = local.env
}
-- modules/outer/main.tf --
variable "env" {}
module "inner" {
  source = "../inner"
  key    = "${var.env}/net"
}
-- modules/inner/main.tf --
variable "key" {}
data "terraform_remote_state" "net" {
  backend = "s3"
  config  = { bucket = "b", key = var.key }
}
`, "net>app remote_state", ""},
		{"the same module twice with different arguments", `
-- net/main.tf --
terraform {
  backend "s3" {
    bucket = "b"
    key    = "net"
  }
}
-- db/main.tf --
terraform {
  backend "s3" {
    bucket = "b"
    key    = "db"
  }
}
-- app/main.tf --
module "one" {
  source = "../modules/read"
  key    = "net"
}
module "many" {
  source   = "../modules/read"
  for_each = toset(["db"])
  key      = each.key
}
-- modules/read/main.tf --
variable "key" {}
data "terraform_remote_state" "it" {
  backend = "s3"
  config  = { bucket = "b", key = var.key }
}
`, "db>app remote_state\nnet>app remote_state", ""},
		{"for_each on the data source", `
-- net/main.tf --
terraform {
  backend "consul" {
    path = "tf/net"
  }
}
-- db/main.tf --
terraform {
  backend "consul" {
    path = "tf/db"
  }
}
-- app/main.tf --
data "terraform_remote_state" "all" {
  for_each = toset(["net", "db"])
  backend  = "consul"
  config   = { path = "tf/${each.value}" }
}
`, "db>app remote_state\nnet>app remote_state", ""},
		{"a Terraform workspace", `
-- mooring.hcl --
workspace "net-prod" {
  dir = "net"
  workspace = "prod"
}
workspace "net-dev" {
  dir = "net"
  workspace = "dev"
}
-- net/main.tf --
terraform {
  backend "s3" {
    bucket = "b"
    key    = "net"
  }
}
-- app/main.tf --
data "terraform_remote_state" "net" {
  backend   = "s3"
  workspace = "prod"
  config    = { bucket = "b", key = "net" }
}
`, "net-prod>app remote_state", ""},
		{"terraform.workspace of the reader", `
-- mooring.hcl --
workspace "net" {
  dir = "net"
  workspace = "prod"
}
workspace "app" {
  dir = "app"
  workspace = "prod"
}
-- net/main.tf --
terraform {
  backend "kubernetes" {
    secret_suffix = "net"
  }
}
-- app/main.tf --
data "terraform_remote_state" "net" {
  backend   = "kubernetes"
  workspace = terraform.workspace
  config    = { secret_suffix = "net" }
}
`, "net>app remote_state", ""},
		{"partial backend configuration", `
-- mooring.hcl --
workspace "all" {
  dir = "live/*"
  backend_config = { bucket = "b", key = "${each.match[0]}.tfstate" }
}
-- live/net/main.tf --
terraform {
  backend "s3" {}
}
-- live/app/main.tf --
terraform {
  backend "s3" {}
}
data "terraform_remote_state" "net" {
  backend = "s3"
  config  = { bucket = "b", key = "net.tfstate" }
}
`, "live/net>live/app remote_state", ""},
		{"http, with a password that stays out of names", `
-- net/main.tf --
terraform {
  backend "http" {
    address = "https://user:hunter2@state.example.com/net"
  }
}
-- app/main.tf --
data "terraform_remote_state" "net" {
  backend = "http"
  config  = { address = "https://state.example.com/net" }
}
`, "net>app remote_state", ""},
		{"pg, by schema", `
-- net/main.tf --
terraform {
  backend "pg" {
    conn_str    = "postgres://u:p@db/state"
    schema_name = "net"
  }
}
-- app/main.tf --
data "terraform_remote_state" "net" {
  backend = "pg"
  config  = { conn_str = "postgres://other:q@db/state", schema_name = "net" }
}
`, "net>app remote_state", ""},
		{"JSON syntax on both sides", `
-- net/main.tf.json --
{"terraform": {"backend": {"s3": {"bucket": "b", "key": "net"}}}}
-- app/main.tf.json --
{"locals": {"b": "b"}, "data": {"terraform_remote_state": {"net": {"backend": "s3", "config": {"bucket": "${local.b}", "key": "net"}}}}}
`, "net>app remote_state", ""},
		{"an override file moves the backend", `
-- net/main.tf --
terraform {
  backend "s3" {
    bucket = "b"
    key    = "old"
  }
}
-- net/override.tf --
terraform {
  backend "s3" {
    bucket = "b"
    key    = "net"
  }
}
-- app/main.tf --
data "terraform_remote_state" "net" {
  backend = "s3"
  config  = { bucket = "b", key = "net" }
}
`, "net>app remote_state", ""},
		{"a variable without a value", `
-- app/main.tf --
variable "key" {}
data "terraform_remote_state" "net" {
  backend = "s3"
  config  = { bucket = "b", key = var.key }
}
`, "", "app/main.tf:2: data.terraform_remote_state.net: key cannot be told: var.key has no value in the repository"},
		{"something only Terraform knows", `
-- app/main.tf --
data "terraform_remote_state" "net" {
  backend = "s3"
  config  = { bucket = aws_s3_bucket.b.id, key = "k" }
}
`, "", "app/main.tf:1: data.terraform_remote_state.net: bucket cannot be told: aws_s3_bucket is known only when Terraform runs"},
		{"a local that goes round in circles", `
-- app/main.tf --
locals {
  a = local.b
  b = local.a
}
data "terraform_remote_state" "net" {
  backend = "s3"
  config  = { bucket = "b", key = local.a }
}
`, "", "app/main.tf:5: data.terraform_remote_state.net: key cannot be told: local.a refers to itself"},
		{"a remote service", `
-- app/main.tf --
data "terraform_remote_state" "net" {
  backend = "remote"
  config  = { organization = "x", workspaces = { name = "y" } }
}
`, "", "app/main.tf:1: data.terraform_remote_state.net reads a state that a remote service keeps; whether a workspace here owns it cannot be told"},
		{"a backend that is not fully told", `
-- net/main.tf --
terraform {
  backend "s3" {}
}
`, "", `net/main.tf:2: backend "s3": key is not told by the repository, so nothing can be matched to this state`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := scanArchive(t, c.archive)
			if got := edges(g); got != c.want {
				t.Errorf("edges\n got %s\nwant %s", got, c.want)
			}
			if got := warnings(g); got != c.warning {
				t.Errorf("warnings\n got %s\nwant %s", got, c.warning)
			}
			for _, u := range g.Units {
				if strings.Contains(u.StateIdentity(), "hunter2") {
					t.Errorf("a password in %s", u.StateIdentity())
				}
			}
		})
	}
}

func TestRemoteStateEdgesNameTheirFile(t *testing.T) {
	g := scanArchive(t, designRepository)
	for _, e := range g.Edges {
		if e.Why == "remote_state" && (e.File != "infra/db/main.tf" || e.Line != 1) {
			t.Errorf("edge %+v", e)
		}
	}
}

func TestStateIdentities(t *testing.T) {
	cases := []struct{ backend, workspace, want string }{
		{`backend "s3" {
  bucket = "b"
  key = "/k"
}`, "default", "s3://b/k"},
		{`backend "s3" {
  bucket = "b"
  key = "k"
}`, "prod", "s3://b/env:/prod/k"},
		{`backend "s3" {
  bucket = "b"
  key = "k"
  workspace_key_prefix = "ws"
}`, "prod", "s3://b/ws/prod/k"},
		{`backend "gcs" {
  bucket = "b"
  prefix = "p/"
}`, "prod", "gcs://b/p/prod.tfstate"},
		{`backend "azurerm" {
  storage_account_name = "a"
  container_name = "c"
  key = "k"
}`, "prod", "azurerm://a/c/kenv:prod"},
		{`backend "consul" {
  path = "p"
}`, "prod", "consul://p-env:prod"},
		{`backend "kubernetes" {
  secret_suffix = "x"
  namespace = "n"
}`, "prod", "kubernetes://n/tfstate-prod-x"},
		{`backend "pg" {}`, "prod", "pg://terraform_remote_state/prod"},
		{`backend "local" {}`, "default", "local:a/terraform.tfstate"},
		{`backend "local" {}`, "prod", "local:a/terraform.tfstate.d/prod/terraform.tfstate"},
		{`backend "local" {
  path = "../x.tfstate"
}`, "default", "local:x.tfstate"},
		{`backend "local" {
  path = "/var/x.tfstate"
}`, "default", "local:/var/x.tfstate"},
		// Measured: an absolute path does not hold for Terraform workspaces.
		{`backend "local" {
  path = "/var/x.tfstate"
}`, "prod", "local:a/terraform.tfstate.d/prod/terraform.tfstate"},
		{`backend "local" {
  workspace_dir = "ws"
}`, "prod", "local:a/ws/prod/terraform.tfstate"},
		{`backend "http" {
  address = "http://x/y"
}`, "default", "http:http://x/y"},
		{``, "prod", "local:a/terraform.tfstate.d/prod/terraform.tfstate"},
	}
	for _, c := range cases {
		g := scanArchive(t, "-- mooring.hcl --\nworkspace \"a\" {\n  dir = \"a\"\n  workspace = \""+c.workspace+"\"\n}\n-- a/main.tf --\nterraform {\n"+c.backend+"\n}\n")
		if got := g.Unit("a").StateIdentity(); got != c.want {
			t.Errorf("%s in %s: got %q, want %q", strings.ReplaceAll(c.backend, "\n", " "), c.workspace, got, c.want)
		}
	}
}

func TestTwoUnitsWithOneStateAreWarnedOf(t *testing.T) {
	const backend = "terraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key = \"k\"\n  }\n}\n"
	g := scanArchive(t, "-- a/main.tf --\n"+backend+"-- b/main.tf --\n"+backend)
	if got, want := warnings(g), "a/main.tf:2: a and b keep one state, s3://b/k: each would destroy what the others make\nb/main.tf:2: a and b keep one state, s3://b/k: each would destroy what the others make"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestStatesThatWouldLieInTheTree(t *testing.T) {
	g := scanArchive(t, `
-- a/main.tf --
data "terraform_remote_state" "b" {
  backend = "local"
  config  = { path = "../b/x.tfstate" }
}
data "terraform_remote_state" "elsewhere" {
  backend = "local"
  config  = { path = "/srv/x.tfstate" }
}
-- b/main.tf --
terraform {
  backend "local" {
    path = "x.tfstate"
  }
}
`)
	if got := join(g.Unit("a").Module.LocalStatePaths); got != "a/terraform.tfstate b/x.tfstate" {
		t.Errorf("a: %q", got)
	}
	if got := edges(g); got != "b>a remote_state" {
		t.Errorf("edges %q", got)
	}
}
