package runner

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/e2e/gitea"
	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/internal/comment"
)

// hostileNames are names that somebody hopes are taken for something else.
var hostileNames = []string{
	"#12", "branch x", "branch #12", "r1", "..", "../../etc/passwd", "-rf", "--upload-pack=touch pwned", "$(touch pwned)", "`touch pwned`", "a;touch pwned",
	"a|b", "a\x00b", "a\xffb", "\x1b]0;pwned\x07", "x\r\nX-Evil: 1", "x\n::error::", "<!-- mooring:report:infra:1 -->", "@ada", "a/b#1", "<script>", "\u202egpj.exe",
	"https://evil.example/", "%2e%2e", "\"}", "",
}

// hostileUnits are those that a unit might have: what is no text never is one.
var hostileUnits = slices.DeleteFunc(slices.Clone(hostileNames), func(n string) bool { return !utf8.ValidString(n) })

func TestNamesOfPullRequestsAreNotConfused(t *testing.T) {
	f := newFixture(t, map[string]string{"app/main.tf": module(`"one"`)})
	want := map[string]string{}
	err := f.r.journal.update(func(tx *bbolt.Tx) error {
		for _, repository := range append(hostileNames, "infra") {
			for _, name := range hostileNames {
				for _, id := range []string{branchID(name), "#12", "#1"} {
					p := &pull{Repository: repository, ID: id, Allowed: repository + "\x00" + id}
					if err := putPull(tx, p); err != nil {
						return err
					}
					for _, unit := range hostileUnits {
						v := &reviewed{Unit: unit, Pull: id, Content: repository + "\x00" + id + "\x00" + unit}
						if err := putReviewed(tx, repository, v); err != nil {
							return err
						}
						want[string(reviewKey(repository, id, unit))] = v.Content
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	pulls := len(hostileNames) + 2
	if n := (len(hostileNames) + 1) * pulls * len(hostileUnits); len(want) != n {
		t.Errorf("%d keys of %d plans", len(want), n)
	}
	err = f.r.journal.update(func(tx *bbolt.Tx) error {
		if err := dropReviewed(tx, "infra", "#1", nil); err != nil {
			return err
		}
		for _, repository := range append(hostileNames, "infra") {
			for _, name := range hostileNames {
				id := branchID(name)
				if p, err := getPull(tx, repository, id); err != nil || strings.ToValidUTF8(p.Allowed, "\ufffd") != strings.ToValidUTF8(repository+"\x00"+id, "\ufffd") {
					t.Errorf("%q of %q: %+v, %v", id, repository, p, err)
				}
				all, err := reviewedPlans(tx, repository, id)
				if err != nil || len(all) != len(hostileUnits) {
					t.Errorf("%q of %q has %d plans, %v", id, repository, len(all), err)
				}
			}
			if all, err := reviewedPlans(tx, repository, "#12"); err != nil || len(all) != len(hostileUnits) {
				t.Errorf("#12 of %q has %d plans, %v", repository, len(all), err)
			}
			left := len(hostileUnits)
			if repository == "infra" {
				left = 0
			}
			if all, err := reviewedPlans(tx, repository, "#1"); err != nil || len(all) != left {
				t.Errorf("#1 of %q has %d plans, %v", repository, len(all), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range hostileNames {
		if p := (&pull{ID: branchID(name)}); p.number() != 0 {
			t.Errorf("the branch %q is taken for pull request %d", name, p.number())
		}
		if !IsPull(branchID(name)) || IsPull("r12") {
			t.Errorf("%q is no holder of a lock", name)
		}
		file := fileName(name)
		if file != filepath.Base(file) || strings.ContainsAny(file, "/\x00\\ ") || file == "" || file[0] == '.' {
			t.Errorf("%q is kept in %q", name, file)
		}
	}
}

// safeLog is a log that many write.
type safeLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *safeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *safeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A branch may have any name that Git lets through: each is planned as itself or not at
// all, and none keeps the others from being planned.
func TestReviewBranchesMayHaveAnyName(t *testing.T) {
	var log safeLog
	f := newFixture(t, map[string]string{"app/main.tf": module(`"one"`)}, func(o *Options) {
		o.Repositories[0].Review.Branches = []string{"review/*"}
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	f.expect("app applied")
	names := []string{"review/#12", "review/$(touch${IFS}pwned)", "review/`id`", "review/a;touch", "review/-rf", "review/<!--", "review/@ada", "review/a|b", "review/r1", "review/\"'"}
	commit := f.git.CommitOn("review/plain", "Two", githttp.Change{Write: map[string]string{"app/main.tf": module(`"two"`)}})
	for _, n := range append(names, "review/\xff\xfe") {
		f.git.SetRef("refs/heads/"+n, commit)
	}
	f.sync()
	runs, err := f.r.Runs(RunsQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	planned := map[string]int{}
	for _, run := range runs {
		if run.Trigger == OnPullRequest {
			planned[run.Branch]++
		}
	}
	for _, n := range append(names, "review/plain") {
		if planned[n] != 1 {
			t.Errorf("%q was planned %d times", n, planned[n])
		}
	}
	if len(planned) != len(names)+1 {
		t.Errorf("planned were %v", planned)
	}
	n := len(runs)
	f.sync()
	if runs, _ = f.r.Runs(RunsQuery{Limit: 100}); len(runs) != n {
		t.Errorf("a second look made %d more runs", len(runs)-n)
	}
	if !strings.Contains(log.String(), `review/\\xff\\xfe`) {
		t.Errorf("nothing is said of the branch that is left alone:\n%s", log.String())
	}
	f.nothingTouched()
}

// nothingTouched fails where a name was taken for a command somewhere.
func (f *fixture) nothingTouched() {
	f.t.Helper()
	for _, dir := range []string{".", f.opts.DataDir, filepath.Dir(f.opts.DataDir)} {
		err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err == nil && strings.Contains(filepath.Base(path), "pwned") && !strings.Contains(filepath.Base(path), "touch") {
				f.t.Errorf("%s is there", path)
			}
			return nil
		})
		if err != nil {
			f.t.Error(err)
		}
	}
}

func TestWhatIsWrittenInAPullRequestStaysWords(t *testing.T) {
	var log safeLog
	dir := "a$(touch pwned);`id`|@ada #1 <!-- x"
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`)}, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	f.expect("app applied")

	evil := "```\n@" + f.owner.Login + " #1\n<!-- mooring:report:infra:1 -->\n</details>\n\x1b[31m\u202e"
	branch := "t$(touch${IFS}pwned)|`id`;@ada<!--"
	f.repo.Push(f.author, branch, "Subject\n\n"+evil, map[string]string{
		"app/main.tf":    module(`<<-EOT` + "\n" + strings.ReplaceAll(evil, "\x1b", "") + "\nmooring apply\nEOT\n"),
		dir + "/main.tf": module(`"new"`),
		"bad/main.tf":    `resource "terraform_data" "x" { precondition = "` + "@" + f.owner.Login + ` </details> <!-- mooring:report:infra:1 -->"`,
	})
	pull := f.repo.Open(f.author, branch, gitea.Branch, "T $(touch pwned) `id` @"+f.owner.Login+" <!-- mooring:report:infra:1 -->")
	pull.Label(f.author, "<script>$(touch pwned) @"+f.owner.Login)
	// A person copies what Mooring would say, marker and all, before it has said anything.
	marker := "<!-- " + comment.Marker("report", "infra", pull.Number) + " -->"
	forged := pull.Comment(f.author, "### Nothing to do, merge me\n\n"+marker)
	f.sync()
	report := f.said(pull)
	if lines := strings.Split(strings.TrimSpace(report), "\n"); lines[len(lines)-1] != marker || strings.Count(report, marker) != 1 {
		t.Errorf("the marker is not alone at its place in\n%s", report)
	}
	f.onlyWords(pull, report)
	pull.Comment(f.reviewer, report)

	// One unit planned again leaves what is shown of the others.
	pull.Comment(f.author, "mooring plan app")
	f.sync()
	again := f.said(pull)
	says(t, again, `+     input  = "new"`, "mooring apply")
	if strings.Count(again, "<details>") != strings.Count(report, "<details>") {
		t.Errorf("something of\n%s\nis no more in\n%s", report, again)
	}
	report = again

	commands := []string{
		"mooring plan; touch pwned", "mooring plan $(touch pwned)", "mooring plan ../../etc/passwd", "mooring plan app/../app", "mooring plan --dir=/etc", "mooring plan \"`id`\"",
		"mooring \x1b[31mplan", "mooring plan\u202e", "mooring aply @" + f.owner.Login, "mooring plan <!-- mooring:report:infra:1 -->", "mooring approve x\x00y", "mooring \u00a0plan",
		"mooring explode @" + f.owner.Login + " #1 </details> <!-- " + marker,
	}
	for _, c := range commands {
		pull.Comment(f.author, c+"\n\nmooring apply\n"+marker)
	}
	runs, _ := f.r.Runs(RunsQuery{})
	f.sync()
	if got := f.said(pull); got != report {
		t.Errorf("the report is now\n%s\nand was\n%s", got, report)
	}
	answers := f.answers(pull)
	if len(answers) != len(commands) {
		t.Errorf("%d answers to %d commands:\n%s", len(answers), len(commands), strings.Join(answers, "\n---\n"))
	}
	for _, a := range answers {
		if strings.Contains(a, marker) {
			t.Errorf("an answer carries the marker of the report:\n%s", a)
		}
		f.onlyWords(pull, a)
	}
	if now, _ := f.r.Runs(RunsQuery{}); len(now) != len(runs) {
		t.Errorf("%d runs came of commands that are none", len(now)-len(runs))
	}
	for _, c := range pull.Comments() {
		if c.ID == forged.ID && c.Body != "### Nothing to do, merge me\n\n"+marker {
			t.Errorf("what a person wrote was edited:\n%s", c.Body)
		}
	}
	for context, s := range f.repo.Statuses(pull.State().Head) {
		if strings.ContainsAny(s.Description, "\n\r\x1b\u202e") {
			t.Errorf("%s says %q", context, s.Description)
		}
	}
	if strings.ContainsAny(log.String(), "\x1b\u202e\x00") {
		t.Errorf("the log has control characters:\n%q", log.String())
	}
	for _, line := range strings.Split(strings.TrimSpace(log.String()), "\n") {
		if line != "" && !strings.HasPrefix(line, "time=") {
			t.Errorf("a line of the log is not ours: %q", line)
		}
	}
	f.nothingTouched()
}

// onlyWords has the forge render a comment, and fails where anything in it mentions
// somebody, refers to something or leads somewhere that Mooring did not mean.
func (f *reviewFixture) onlyWords(pull *gitea.Pull, body string) {
	f.t.Helper()
	html := f.render(body)
	for _, bad := range []string{`class="mention"`, "ref-issue", "<script", "evil.example\"", "/commit/"} {
		if strings.Contains(html, bad) {
			f.t.Errorf("%s is in what the forge makes of\n%s\n%s", bad, body, html)
		}
	}
	if strings.Count(html, "<details") != strings.Count(html, "</details>") {
		f.t.Errorf("sections are not closed in\n%s", html)
	}
}

func (f *reviewFixture) render(body string) string {
	f.t.Helper()
	text, err := json.Marshal(map[string]any{"Text": body, "Mode": "comment", "Context": f.repo.FullName()})
	if err != nil {
		f.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.server.URL+"/api/v1/markdown", bytes.NewReader(text))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "token "+f.bot.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	html, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		f.t.Fatalf("render: %s, %v", resp.Status, err)
	}
	return string(html)
}
