package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/e2e/httpstate"
)

// canaries lets secrets from every source into runs that print them, fail with them and hand them on, and then looks for
// each, plain, JSON-escaped and in base64, in every sink. Terraform's own state has them, and proves that they were there.
func canaries(p *play) {
	p.rounds(func(int) {
		w, sources := p.leaky()
		sinks := w.leak()
		found := []string{}
		for _, sink := range sorted(sinks) {
			for _, source := range sources {
				if form := shows([]byte(sinks[sink]), source.secret); form != "" {
					found = append(found, fmt.Sprintf("%s in %s", source.name, sink))
				}
			}
		}
		p.totals.canaries(len(found), len(sources)*len(sinks))
		told := w.read(filepath.Join(w.effects, "emitted"))
		for _, source := range sources {
			if source.emitted && shows([]byte(told), source.secret) == "" {
				w.failf("the bench: %s was never let out, so nothing is shown", source.name)
			}
		}
		if len(found) > 0 {
			w.failf("%d leaks: %s", len(found), strings.Join(found, "\n    "))
		}
		w.done()
	})
}

type source struct {
	name    string
	secret  string
	emitted bool // a local-exec tells that it had it
}

// leaky is a world whose repository prints whatever it knows.
func (p *play) leaky() (*world, []source) {
	p.made++ // a name for the secrets before there is a world
	id := fmt.Sprintf("leak-%d-%d", p.settings.seed, p.made)
	secret := func(what string) string { return canary(id + what).value() }
	quoted := `qu"ote\` + secret("-quoted") // JSON has another word for it
	sources := []source{
		{"sensitive variable of a tfvars file", secret("-tfvars"), true},
		{"sensitive output handed to another workspace", secret("-output"), true},
		{"sensitive resource attribute", secret("-attribute"), false},
		{"credential in the environment", secret("-env"), true},
		{"credential that JSON escapes", quoted, true},
		{"credential for plans alone", secret("-plan-env"), false},
		{"value of backend_config", secret("-backend"), false},
		{"token of the remote", secret("-token"), false},
	}
	backend := httpstate.New()
	w := p.world(shape{files: leakyFiles(id, secret, backend)})
	w.Cleanup(backend.Close)
	git := githttp.New(w, filepath.Dir(w.repo.Dir))
	git.RequireToken(secret("-token"))
	w.env = []string{
		"CHAOS_CREDENTIAL=" + secret("-env"), "CHAOS_QUOTED=" + quoted, "GIT_TOKEN=" + secret("-token"), "PLAN_ONLY=" + secret("-plan-env"),
		"CHAOS_EMITTED=" + filepath.Join(w.effects, "emitted"),
	}
	w.configure(shape{
		serverHCL: "listen = \"127.0.0.1:0\"\n", url: git.RepositoryURL("infra.git"),
		repoHCL: "  auto_apply = \"always\"\n  token = env(\"GIT_TOKEN\")\n  plan_env = [\"PLAN_ONLY\"]\n",
	})
	return w, sources
}

// leakyFiles are the repository: a producer, a consumer, and two that fail.
func leakyFiles(id string, secret func(string) string, backend *httpstate.Server) map[string]string {
	consumer := fmt.Sprintf(`
variable "token" {
  type      = string
  sensitive = true
}

variable "password" {
  type      = string
  sensitive = true
}

resource "terraform_data" "attribute" {
  input = sensitive(%s)
}

check "word" {
  assert {
    condition     = length(var.token) == 1
    error_message = "the check says ${nonsensitive(var.token)} and ${base64encode(nonsensitive(var.password))}"
  }
}

resource "terraform_data" "talks" {
  input = { token = var.token, password = var.password }

  provisioner "local-exec" {
    command = "sh ./talk.sh ${nonsensitive(var.token)} ${nonsensitive(var.password)}"
  }
}
`, canary(id+"-attribute").hcl())
	talk := `for s in "$1" "$2" "$CHAOS_CREDENTIAL" "$CHAOS_QUOTED"; do
  echo "plain $s"
  printf 'user:%s' "$s" | base64 -w0; echo
  printf '{"s":"%s"}\n' "$(printf %s "$s" | sed 's/\\/\\\\/g; s/"/\\"/g')"
  printf '%s\n' "$s" >> "$CHAOS_EMITTED"
done
echo "to the other stream $CHAOS_CREDENTIAL" >&2
`
	failing := "\nvariable \"token\" {\n  type      = string\n  sensitive = true\n}\n"
	return map[string]string{
		"mooring.hcl": fmt.Sprintf(`
workspace "producer" {
  dir = "producer"
}

workspace "consumer" {
  dir       = "consumer"
  var_files = ["secret.tfvars"]
  variables = { token = workspace.producer.outputs.token }
}

workspace "stored" {
  dir            = "stored"
  backend_config = { address = %q, username = "bot", password = %q }
}

workspace "refused" {
  dir       = "refused"
  variables = { token = workspace.producer.outputs.token }
}

workspace "broken" {
  dir       = "broken"
  variables = { token = workspace.producer.outputs.token }
}
`, backend.URL+"/stored", secret("-backend")),
		"producer/main.tf":       fmt.Sprintf("output \"token\" {\n  value     = %s\n  sensitive = true\n}\n", canary(id+"-output").hcl()),
		"consumer/main.tf":       consumer,
		"consumer/talk.sh":       talk,
		"consumer/secret.tfvars": fmt.Sprintf("password = %q\n", secret("-tfvars")),
		"stored/main.tf":         "terraform {\n  backend \"http\" {}\n}\n\nresource \"terraform_data\" \"a\" {}\n",
		"refused/main.tf": failing + `
resource "terraform_data" "a" {
  lifecycle {
    precondition {
      condition     = length(var.token) == 1
      error_message = "refused because of ${nonsensitive(var.token)}"
    }
  }
}
`,
		"broken/main.tf": failing + `
resource "terraform_data" "a" {
  provisioner "local-exec" {
    command = "echo 'broken ${nonsensitive(var.token)}' >&2; exit 3"
  }
}
`,
	}
}

// leftBy are the words for a file below the data directory, as a sink; "" for one that is none: Terraform's own states, and
// the repository, which holds two of the secrets itself.
func leftBy(data, path string) string {
	rest := strings.TrimPrefix(path, data+"/")
	first, _, _ := strings.Cut(rest, "/")
	switch {
	case slices.Contains([]string{"mirrors", "views", "state"}, first), filepath.Base(path) == "terraform.tfstate":
		return ""
	}
	return "files: " + first
}
