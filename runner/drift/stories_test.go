package drift

import (
	"strings"
	"testing"
)

const owned = `
resource "terraform_data" "web" {
  input = { tags = { Owner = "a team", "kubernetes.io/role" = "web" }, size = 2 }
}
resource "terraform_data" "user" {
  input = terraform_data.web.output.size
}
`

const keyed = `
resource "terraform_data" "web" {
  for_each = toset(["plain", "a/b", "it's [\"quoted\"]"])
  input    = "v1"
}
`

const secretive = `
variable "password" {
  sensitive = true
  default   = "canary-variable"
}
resource "terraform_data" "web" {
  input = { password = var.password, nested = [{ token = sensitive("canary-nested"), port = 80 }], size = 2 }
}
resource "terraform_data" "all" {
  input = sensitive({ one = "canary-whole" })
}
`

const filed = `
resource "local_file" "motd" {
  content  = "hello"
  filename = "${path.root}/motd"
}
resource "terraform_data" "user" {
  input = local_file.motd.id
}
resource "terraform_data" "whole" {
  triggers_replace = local_file.motd.id
}
resource "null_resource" "apart" {}
resource "random_id" "suffix" { byte_length = 4 }
`

const secretFile = `
resource "local_file" "token" {
  sensitive_content = "canary-file"
  filename          = "${path.root}/token"
}
`

// A certificate that is due as soon as it is made: its provider says so when it reads it again.
const certificate = `
resource "tls_private_key" "ca" { algorithm = "ED25519" }
resource "tls_self_signed_cert" "ca" {
  private_key_pem       = tls_private_key.ca.private_key_pem
  validity_period_hours = 1
  early_renewal_hours   = 1
  allowed_uses          = ["cert_signing"]
}
`

const churning = `
resource "terraform_data" "now" {
  input = timestamp()
}
`

var stories = []story{
	{name: "nothing", applied: owned},
	{name: "state-pushed", applied: owned, after: pushed(`"a team"`, `"somebody"`), state: State{StateMoved: true}, want: []string{
		"info out_of_band update terraform_data.user: input would be set anew; also output: follows from terraform_data.web",
		`warning out_of_band update terraform_data.web: input.tags.Owner changed from "a team" to "somebody"`,
	}},
	{name: "config-moved", applied: owned, planned: strings.ReplaceAll(owned, "a team", "another"), state: State{Undeployed: true}, want: []string{
		"info undeployed update terraform_data.user: not deployed yet: input, output",
		"info undeployed update terraform_data.web: not deployed yet: input.tags.Owner",
	}},
	{name: "config-moved-and-state-pushed", applied: owned, planned: strings.ReplaceAll(owned, "size = 2", "size = 3"), after: pushed(`"a team"`, `"somebody"`), state: State{Undeployed: true, StateMoved: true}, want: []string{
		"info undeployed update terraform_data.user: not deployed yet: input, output",
		"info undeployed update terraform_data.web: not deployed yet: input.size, input.tags.Owner",
	}},
	{name: "config-moved-unrecorded", applied: owned, planned: strings.ReplaceAll(owned, "size = 2", "size = 3"), want: []string{
		"info churn update terraform_data.user: never settles: input, output",
		"info churn update terraform_data.web: never settles: input.size",
	}},
	{name: "never-settles", applied: churning, want: []string{
		"info churn update terraform_data.now: never settles: input, output",
	}},
	{name: "never-settles-and-state-moved", applied: churning, state: State{StateMoved: true}, want: []string{
		"info churn update terraform_data.now: never settles: input, output",
	}},
	{name: "secrets-pushed", applied: secretive, after: pushed("canary-", "canary-other-"), state: State{StateMoved: true}, want: []string{
		"warning out_of_band update terraform_data.all: input changed (sensitive value)",
		"warning out_of_band update terraform_data.web: input.nested[0].token changed (sensitive value); also input.password",
	}},
	{name: "keys-pushed", applied: keyed, after: pushed(`"v1"`, `"v2"`), state: State{StateMoved: true}, want: []string{
		`warning out_of_band update terraform_data.web["a/b"]: input changed from "v1" to "v2"`,
		`warning out_of_band update terraform_data.web["it's [\"quoted\"]"]: input changed from "v1" to "v2"`,
		`warning out_of_band update terraform_data.web["plain"]: input changed from "v1" to "v2"`,
	}},
	{name: "keys-gone-from-config", applied: keyed, planned: strings.ReplaceAll(keyed, `"a/b", `, ""), state: State{Undeployed: true}, want: []string{
		`info undeployed delete terraform_data.web["a/b"]: not deployed yet (an apply deletes it)`,
	}},
	{name: "tainted", applied: owned, after: did("taint", "terraform_data.web"), state: State{StateMoved: true}, want: []string{
		"info out_of_band update terraform_data.user: input would be set anew; also output: follows from terraform_data.web",
		"warning out_of_band replace terraform_data.web: changed (an apply replaces it): it is tainted",
	}},
	{name: "gone-from-state", applied: owned, after: did("state", "rm", "terraform_data.web"), state: State{StateMoved: true}, want: []string{
		"info out_of_band update terraform_data.user: input would be set anew; also output: follows from terraform_data.web",
		"warning out_of_band create terraform_data.web: deleted (an apply creates it)",
	}},
	{
		name: "applied-elsewhere", applied: owned, state: State{StateMoved: true}, planned: owned,
		after: func(t *testing.T, tf terraform) {
			tf.write(t, owned+"resource \"terraform_data\" \"more\" {}\n")
			tf.run(t, "apply", "-input=false", "-auto-approve")
		},
		want: []string{
			"warning out_of_band delete terraform_data.more: there and should not be (an apply deletes it)",
		},
	},
	{name: "moved", applied: owned, planned: strings.NewReplacer(`"web" {`, `"site" {`, "data.web", "data.site").Replace(owned) + "moved {\n  from = terraform_data.web\n  to   = terraform_data.site\n}\n", want: []string{
		"info undeployed none terraform_data.site: not deployed yet: moved from terraform_data.web",
	}},
	{
		name: "forgotten", applied: owned,
		planned: "removed {\n  from = terraform_data.web\n  lifecycle {\n    destroy = false\n  }\n}\nremoved {\n  from = terraform_data.user\n  lifecycle {\n    destroy = false\n  }\n}\n", want: []string{
			"info undeployed forget terraform_data.user: not deployed yet (an apply forgets it): to be forgotten",
			"info undeployed forget terraform_data.web: not deployed yet (an apply forgets it): to be forgotten",
		},
	},
	{
		name: "replaced", applied: "resource \"terraform_data\" \"web\" {\n  triggers_replace = 1\n}\n",
		planned: "resource \"terraform_data\" \"web\" {\n  triggers_replace = 2\n}\n", state: State{Undeployed: true}, want: []string{
			"info undeployed replace terraform_data.web: not deployed yet: triggers_replace (an apply replaces it)",
		},
	},
	{name: "to-be-imported", applied: "output \"x\" {\n  value = 1\n}\n", planned: "output \"x\" {\n  value = 1\n}\nimport {\n  to = terraform_data.old\n  id = \"old\"\n}\nresource \"terraform_data\" \"old\" {}\n", want: []string{
		"info undeployed none terraform_data.old: not deployed yet: to be imported",
	}},
	{name: "output-only", applied: owned, planned: owned + "output \"now\" {\n  value = \"new\"\n}\n", want: []string{
		"info churn create output.now: never settles: value (an apply creates it)",
	}},
	{
		name: "data-reads", applied: owned + "resource \"terraform_data\" \"p\" {\n  input = timestamp()\n}\ndata \"terraform_remote_state\" \"x\" {\n  backend  = \"local\"\n  config   = { path = \"terraform.tfstate\" }\n  defaults = { x = terraform_data.p.output }\n}\n", want: []string{
			"info churn update terraform_data.p: never settles: input, output",
		},
	},
	{name: "file-edited", providers: true, applied: filed, behind: edits("motd", "hacked"), want: []string{
		"warning out_of_band create local_file.motd: deleted (an apply creates it)",
		"info out_of_band update terraform_data.user: input would be set anew; also output: follows from local_file.motd",
		"warning out_of_band replace terraform_data.whole: triggers_replace would be set anew (an apply replaces it): follows from local_file.motd",
	}},
	{name: "file-deleted", providers: true, applied: filed, behind: deletes("motd"), want: []string{
		"warning out_of_band create local_file.motd: deleted (an apply creates it)",
		"info out_of_band update terraform_data.user: input would be set anew; also output: follows from local_file.motd",
		"warning out_of_band replace terraform_data.whole: triggers_replace would be set anew (an apply replaces it): follows from local_file.motd",
	}},
	{name: "file-deleted-and-config-moved", providers: true, applied: filed, behind: deletes("motd"), planned: strings.Replace(filed, "hello", "hi", 1), state: State{Undeployed: true}, want: []string{
		"warning out_of_band create local_file.motd: deleted (an apply creates it)",
		"info undeployed update terraform_data.user: not deployed yet: input, output",
		"info undeployed replace terraform_data.whole: not deployed yet: triggers_replace (an apply replaces it)",
	}},
	{name: "file-clean", providers: true, applied: filed},
	{name: "secret-file-edited", providers: true, applied: secretFile, behind: edits("token", "canary-live"), want: []string{
		"warning out_of_band create local_file.token: deleted (an apply creates it)",
	}},
	{name: "certificate-is-due", providers: true, applied: certificate, want: []string{
		"info churn replace tls_self_signed_cert.ca: never settles (an apply replaces it): because of ready_for_renewal",
	}},
}
