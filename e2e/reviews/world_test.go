package reviews

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/gitea"
	"github.com/mooring-iac/mooring/e2e/parts"
	"github.com/mooring-iac/mooring/e2e/program"
	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/runner"
)

// world is a repository on Gitea with people, and a Mooring of its own that sees Gitea through a proxy.
type world struct {
	t                            *testing.T
	server                       *gitea.Server
	repo                         *gitea.Repo
	owner, bot, author, reviewer *gitea.Account
	proxy                        *proxy

	dir, home, data, config, terraform string
	journal                            string // what applies did, a line each
	gates                              string // directory of files that applies wait for
	address                            string // where Mooring listens
	secret, password                   string

	mooring *program.Process
	starts  int
}

// setting is what differs between worlds.
type setting struct {
	apply    string // "" is after_merge
	poll     string // "" is 500ms
	grace    string // "" is 10s
	webhooks bool   // Gitea tells Mooring of everything
	more     string // of the repository block
	files    map[string]string
}

func newWorld(t *testing.T, s setting) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED, NOT TESTED: -short leaves out what needs Gitea and minutes")
	}
	w := &world{t: t, terraform: parts.TerraformForTest(t), server: gitea.Shared(t), dir: t.TempDir()}
	w.secret, w.password = "webhook-"+t.Name()+"-secret-0123456789", "pages-"+t.Name()+"-password-0123456789"
	w.owner, w.bot, w.author, w.reviewer = w.server.User("owner"), w.server.User("mooring"), w.server.User("ada"), w.server.User("grace")
	files := s.files
	if files == nil {
		files = map[string]string{"README.md": "Infrastructure\n"}
	}
	w.repo = w.server.Repository(w.owner, "infra", files)
	w.repo.Collaborator(w.bot, "admin")
	w.repo.Collaborator(w.author, "write")
	w.repo.Collaborator(w.reviewer, "write")
	w.proxy = newProxy(t, w.server.URL)
	w.home, w.data, w.config = filepath.Join(w.dir, "home"), filepath.Join(w.dir, "data"), filepath.Join(w.dir, "server.hcl")
	effects := filepath.Join(w.dir, "effects")
	w.journal, w.gates = filepath.Join(effects, "journal"), filepath.Join(effects, "gates")
	for _, dir := range []string{w.home, w.gates} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.address = freeAddress(t)
	apply, poll, grace := s.apply, s.poll, s.grace
	if apply == "" {
		apply = "after_merge"
	}
	if poll == "" {
		poll = "500ms"
	}
	if grace == "" {
		grace = "10s"
	}
	w.write(w.journal, "")
	w.write(w.config, fmt.Sprintf(`data_dir   = %q
listen     = %q
public_url = "http://%s"
grace      = %q

pages {
  password = env("PAGES_PASSWORD")
}

sandbox {
  write = [%q]
}

repository "infra" {
  url      = "%s/%s.git"
  branch   = "main"
  poll     = %q
  apply    = %q
  username = %q
  token    = env("FORGE_TOKEN")
%s
  policy {
    preflight = "off" # every change of these stories runs a command: that is how its effects are counted
  }
  forge "gitea" {
    url            = %q
    repository     = %q
    token          = env("FORGE_TOKEN")
    webhook_secret = env("HOOK_SECRET")
  }
}
`, w.data, w.address, w.address, grace, effects, w.proxy.URL, w.repo.FullName(), poll, apply, w.bot.Login, s.more, w.proxy.URL, w.repo.FullName()))
	if s.webhooks {
		w.repo.Webhook(w.hookURL(), w.secret)
	}
	t.Cleanup(func() {
		w.proxy.faults(nil, nil)
		w.open("everything")
		w.stop()
		if t.Failed() && w.mooring != nil {
			logs, _ := filepath.Glob(filepath.Join(w.dir, "serve-*.log")) // the pattern is right
			for _, log := range logs[max(0, len(logs)-3):] {
				t.Logf("what Mooring said last, %s:\n%s", filepath.Base(log), program.Tail(program.Read(log)))
			}
		}
	})
	return w
}

func (w *world) hookURL() string { return "http://" + w.address + "/hooks/infra" }

// freeAddress is one that nobody listens at now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// module is a unit whose apply leaves a line in the journal: the value. A value that begins with "gate" waits, before it
// does, until the gate of that name is open.
func (w *world) module(value string) string {
	line := fmt.Sprintf("echo '%s' >> '%s'", value, w.journal)
	if strings.HasPrefix(value, "gate") {
		line = fmt.Sprintf("echo 'begin %s' >> '%s'; until [ -e '%s/%s' ] || [ -e '%s/everything' ]; do sleep 0.05; done; %s", value, w.journal, w.gates, value, w.gates, line)
	}
	return fmt.Sprintf("resource \"terraform_data\" %q {\n  input = %q\n\n  provisioner \"local-exec\" {\n    command = %q\n  }\n}\n", strings.Fields(value)[0], value, line)
}

// open opens a gate.
func (w *world) open(gate string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.gates, gate), nil, 0o600); err != nil {
		w.t.Log(err) // the directory may be gone with the test
	}
}

// applied is how often the journal has a line.
func (w *world) applied(line string) (n int) {
	w.t.Helper()
	b, err := os.ReadFile(w.journal)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, l := range strings.Split(string(b), "\n") {
		if l == line {
			n++
		}
	}
	return n
}

// lines are the journal's, sorted.
func (w *world) lines() []string {
	w.t.Helper()
	b, err := os.ReadFile(w.journal)
	if err != nil {
		w.t.Fatal(err)
	}
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	slices.Sort(all)
	return all
}

// propose pushes a branch with files and opens a pull request for it.
func (w *world) propose(branch string, files map[string]string) *gitea.Pull {
	w.t.Helper()
	w.repo.Push(w.author, branch, "Change "+branch, files)
	return w.repo.Open(w.author, branch, gitea.Branch, "Change "+branch)
}

// await looks again and again until there is no reason left why not. A reason is never empty: none at all is written as such.
func (w *world) await(within time.Duration, what string, whyNot func() string) time.Duration {
	w.t.Helper()
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		why := whyNot()
		if why == "" {
			return time.Since(began)
		}
		if time.Since(began) > within {
			w.t.Fatalf("waited %s in vain for %s: %s", within, what, why)
		}
		<-tick.C
	}
}

// said is what Mooring has said in a pull request, oldest first.
func (w *world) said(p *gitea.Pull) (all []string) {
	w.t.Helper()
	for _, c := range p.Comments() {
		if c.By.ID == w.bot.ID {
			all = append(all, c.Body)
		}
	}
	return all
}

// reports are those of what was said that are reports: there must be one.
func reports(said []string) (all []string) {
	for _, s := range said {
		if strings.Contains(s, "<!-- mooring:report:") {
			all = append(all, s)
		}
	}
	return all
}

// expected is what a pull request has to come to.
type expected struct {
	report  []string          // words of the one report
	without []string          // words that are not in it
	status  map[string]string // by context, of the head; others must not be pending
	answers int               // comments of Mooring beside the report
	atMost  bool              // or fewer
	unseen  bool              // it may have ended before Mooring saw it: then nothing is said of it
}

// lacks says what of a pull request is not as expected yet; "" is nothing.
func (w *world) lacks(p *gitea.Pull, want expected) string {
	w.t.Helper()
	said := w.said(p)
	mine := reports(said)
	if want.unseen && len(said) == 0 && len(w.repo.Statuses(p.State().Head)) == 0 {
		return ""
	}
	if len(mine) != 1 {
		return fmt.Sprintf("%s has %d reports: %q", p.Name(), len(mine), said)
	}
	for _, word := range want.report {
		if !strings.Contains(mine[0], word) {
			return fmt.Sprintf("%q is missing in the report of %s:\n%s", word, p.Name(), mine[0])
		}
	}
	for _, word := range want.without {
		if strings.Contains(mine[0], word) {
			return fmt.Sprintf("%q is in the report of %s:\n%s", word, p.Name(), mine[0])
		}
	}
	if n := len(said) - 1; n != want.answers && (!want.atMost || n > want.answers) {
		return fmt.Sprintf("%s has %d answers, want %d: %q", p.Name(), n, want.answers, said)
	}
	statuses := w.repo.Statuses(p.State().Head)
	for context, state := range want.status {
		if statuses[context].State != state {
			return fmt.Sprintf("%s of %s is %+v, want %s", context, p.Name(), statuses[context], state)
		}
	}
	for context, s := range statuses {
		if _, asked := want.status[context]; !asked && s.State == "pending" {
			return fmt.Sprintf("%s of %s is pending: %s", context, p.Name(), s.Description)
		}
	}
	return ""
}

// converged waits until every pull request is as expected.
func (w *world) converged(within time.Duration, all map[*gitea.Pull]expected) time.Duration {
	w.t.Helper()
	return w.await(within, "everything to converge", func() string {
		for p, want := range all {
			if why := w.lacks(p, want); why != "" {
				return why
			}
		}
		return ""
	})
}

// locks are who holds what: unit and holder, in order.
func (w *world) locks() []string {
	w.t.Helper()
	code, out, errs := w.run("locks", "-o", "json")
	var list struct{ Locks []locks.Lock }
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 {
		w.t.Fatalf("mooring locks: exit %d, %v: %s%s", code, err, out, errs)
	}
	var all []string
	for _, l := range list.Locks {
		all = append(all, l.Unit+" by "+l.Run)
	}
	slices.Sort(all)
	return all
}

// runs are the newest runs.
func (w *world) runs() []runner.Run {
	w.t.Helper()
	code, out, errs := w.run("runs", "--limit", "200", "-o", "json")
	var list struct{ Runs []runner.Run }
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 {
		w.t.Fatalf("mooring runs: exit %d, %v: %s%s", code, err, out, errs)
	}
	return list.Runs
}

func etagOf(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}
