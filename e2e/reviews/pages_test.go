package reviews

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

// get asks for a page with a password; "" is none. 0 is that nobody answers.
func (w *world) get(url, password string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if password != "" {
		req.SetBasicAuth("anybody", password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

var pageLink = regexp.MustCompile(`\((http://[^)]+/runs/[^)]+)\)`)

// The link of a comment opens with the password, and no secret is anywhere that anybody but Mooring reads.
func TestTheLinkedPageAndNoSecretAnywhere(t *testing.T) {
	t.Parallel()
	const variable = "sensitive-4b1d-variable"
	w := newWorld(t, setting{webhooks: true, files: map[string]string{"README.md": "Infrastructure\n"}})
	w.serve()
	module := w.module("gate-s app") + fmt.Sprintf(`
variable "word" {
  type      = string
  sensitive = true
}

resource "terraform_data" "word" {
  input = var.word

  provisioner "local-exec" {
    command = "echo ${nonsensitive(var.word)}"
  }
}

resource "terraform_data" "many" {
  count = 120
  input = "a value that is not secret ${count.index} %s"
}
`, strings.Repeat("long ", 150))
	// The variable's value lies in the repository, which those who read comments may not be able to read.
	pull := w.propose("topic", map[string]string{"app/main.tf": module, "app/terraform.tfvars": "word = \"" + variable + "\"\n"})
	w.converged(time.Minute, map[*gitea.Pull]expected{pull: {report: []string{"122 to add"}, status: map[string]string{"mooring/plan": "success"}}})
	report := reports(w.said(pull))[0]
	links := pageLink.FindAllStringSubmatch(report, -1)
	if len(links) == 0 {
		t.Fatalf("the report has no link:\n%s", report)
	}
	if s := w.repo.Statuses(pull.State().Head)["mooring/plan"]; s.URL != links[len(links)-1][1] {
		t.Errorf("the status links to %q, the report to %q", s.URL, links[len(links)-1][1])
	}
	pages := ""
	for _, link := range append(links, []string{"", links[len(links)-1][1] + "/app"}) {
		if code, body := w.get(link[1], ""); code != http.StatusUnauthorized || strings.Contains(body, "terraform_data") {
			t.Errorf("%s without a password: %d %s", link[1], code, body)
		}
		if code, _ := w.get(link[1], "wrong-"+w.password); code != http.StatusUnauthorized {
			t.Errorf("%s with a wrong password: %d", link[1], code)
		}
		code, body := w.get(link[1], w.password)
		if code != http.StatusOK || !strings.Contains(body, "app") {
			t.Errorf("%s: %d %s", link[1], code, body)
		}
		pages += body
	}
	if !strings.Contains(pages, "a value that is not secret 119") {
		t.Error("the full text is not on the pages")
	}

	// While an apply runs the processes are looked at, too.
	pull.Merge(w.author, "squash")
	w.begun("gate-s app")
	argv := commandLines()
	w.open("gate-s app")
	w.converged(time.Minute, map[*gitea.Pull]expected{pull: {report: []string{"Applied"}, status: map[string]string{"mooring/apply": "success"}}})
	_, _, errs := w.run("show", "-o", "json", w.runs()[0].ID)
	sinks := map[string]string{
		"comments": strings.Join(w.said(pull), "\n"), "pages": pages, "the log": w.mooring.Said(), "argv": argv, "show": errs,
		"statuses": fmt.Sprint(w.repo.Statuses(pull.State().Head)),
	}
	if code, out, _ := w.run("show", "--full", w.runs()[0].ID); code == 0 {
		sinks["show --full"] = out
	}
	for _, run := range w.runs() {
		_, sinks["page of "+run.ID] = w.get("http://"+w.address+"/runs/"+run.ID+"/app", w.password)
	}
	w.files(sinks)
	secrets := map[string]string{"the token": w.bot.Token, "the webhook secret": w.secret, "the pages' password": w.password, "a sensitive variable": variable}
	for sink, text := range sinks {
		for name, secret := range secrets {
			if name == "a sensitive variable" && strings.HasPrefix(sink, "argv") {
				continue // the test's own command line of the provisioner
			}
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
				if strings.Contains(text, form) {
					t.Errorf("%s is in %s", name, sink)
				}
			}
		}
	}
}

// files adds what lies in plain files of the data directory, but for the repository and Terraform's states, which have the
// variable by their nature.
func (w *world) files(sinks map[string]string) {
	w.t.Helper()
	err := filepath.WalkDir(w.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // gone meanwhile
		}
		rest := strings.TrimPrefix(path, w.data+"/")
		b, err := os.ReadFile(path)
		if err != nil {
			return nil // gone meanwhile
		}
		switch first, _, _ := strings.Cut(rest, "/"); first {
		case "mirrors", "views", "state", "run":
			b = bytes.ReplaceAll(b, []byte("sensitive-4b1d-variable"), nil)
		}
		sinks["file "+rest] = string(b)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// commandLines are those of all processes.
func commandLines() string {
	var all strings.Builder
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is right
	for _, path := range lines {
		if b, err := os.ReadFile(path); err == nil {
			all.Write(append(bytes.ReplaceAll(b, []byte{0}, []byte{' '}), '\n'))
		}
	}
	return all.String()
}
