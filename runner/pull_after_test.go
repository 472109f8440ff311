package runner

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// stamped is a root module whose plan has the moment of its making in it, which nobody
// can make a second time, and whose apply leaves a line in a file.
func stamped(trace, name, value string) string {
	return fmt.Sprintf(`
resource "terraform_data" "this" {
  triggers_replace = %q
  input            = plantimestamp()
  provisioner "local-exec" { command = "echo '%s ${self.input}' >> '%s'" }
}
output "made" { value = terraform_data.this.output }
`, value, name, trace)
}

func TestExactlyWhatWasReviewedIsAppliedHoweverItWasMerged(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace")
	files := map[string]string{}
	names := []string{"merge", "squash", "rebase", "nobody"}
	for _, n := range names {
		files[n+"/main.tf"] = stamped(trace, n, "one")
	}
	f := newReviewFixture(t, files)
	f.took("merge applied, nobody applied, rebase applied, squash applied")
	if err := os.Remove(trace); err != nil {
		t.Fatal(err)
	}

	pulls, planned := map[string]*pullOf{}, map[string]string{}
	for _, n := range names {
		p := f.propose(n, map[string]string{n + "/main.tf": stamped(trace, n, "two")})
		if n == "rebase" {
			f.repo.Push(f.author, n, "Another commit", map[string]string{n + "/notes.txt": "n"})
			p.AwaitHead(f.repo.Head(n))
		}
		pulls[n] = &pullOf{p, p.State().Head}
	}
	f.sync()
	for _, n := range names {
		report := f.said(pulls[n].Pull)
		says(t, report, "must be replaced")
		planned[n] = moment(t, report)
		f.status(pulls[n].head, planStatus, "success", "1 to add", "1 to destroy")
		f.status(pulls[n].head, policyStatus, "success", "needs a person's yes")
		if n != "nobody" {
			pulls[n].Approve(f.reviewer)
		}
	}
	f.sync()
	for _, n := range names {
		method := n
		if n == "nobody" {
			method = "merge"
		}
		pulls[n].Merge(f.author, method)
	}
	runs := f.took("merge applied, nobody held, rebase applied, squash applied")
	for _, n := range names[:3] {
		if got := f.state(n).Outputs["made"].Value; got != planned[n] {
			t.Errorf("%s was made by a plan of %v, and the reviewed one is of %s", n, got, planned[n])
		}
		says(t, strings.Join(runs[0].Unit(n).Notes, "\n"), "approved by "+f.reviewer.Login)
		says(t, f.said(pulls[n].Pull), "Applied", planned[n], "approved by ", f.reviewer.Login)
		f.status(pulls[n].head, applyStatus, "success")
	}
	held := pulls["nobody"]
	says(t, f.said(held.Pull), "held", "not the one that was reviewed", "mooring approve")
	f.status(held.head, applyStatus, "failure", "held")

	// The author's own yes is none; another's is.
	held.Comment(f.author, "mooring approve")
	f.sync()
	says(t, strings.Join(f.answers(held.Pull), "\n"), "own yes does not count")
	held.Comment(f.reviewer, "mooring approve")
	f.sync()
	f.sync()
	f.status(held.head, applyStatus, "success")
	var heads []string
	for _, p := range pulls {
		heads = append(heads, p.head)
	}
	f.settled(heads...)
	lines, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(lines)); len(got) != 8 {
		t.Errorf("four applies left %q", lines)
	}
	if got := slices.DeleteFunc(f.sync(), func(run Run) bool { return run.Review }); len(got) != 0 {
		t.Errorf("another pass did %s", summary(got))
	}
}

var becomes = regexp.MustCompile(`-> "(\d{4}-\d\d-\d\dT[\d:]+Z)"`)

// moment is the time that an input gets by a report's diff.
func moment(t *testing.T, report string) string {
	t.Helper()
	found := becomes.FindStringSubmatch(report)
	if found == nil {
		t.Fatalf("no time in\n%s", report)
	}
	return found[1]
}

func TestAYesToSomethingElseIsNone(t *testing.T) {
	units := []string{"changes", "early", "equal", "older", "other"}
	files := map[string]string{}
	for _, u := range units {
		files[u+"/main.tf"] = replacing(`"one"`)
	}
	files["equal/main.tf"], files["other/main.tf"] = module(`"one"`), module(`"one"`)
	f := newReviewFixture(t, files)
	f.took("changes applied, early applied, equal applied, older applied, other applied")

	pulls := map[string]*pullOf{}
	for _, u := range units {
		p := f.propose(u, map[string]string{u + "/main.tf": strings.ReplaceAll(files[u+"/main.tf"], "one", "two")})
		pulls[u] = &pullOf{p, p.State().Head}
	}
	pulls["early"].Approve(f.reviewer) // there is no plan yet
	f.sync()
	for _, u := range []string{"older", "equal", "other"} {
		pulls[u].Approve(f.reviewer)
	}
	pulls["changes"].Approve(f.owner)
	pulls["changes"].RequestChanges(f.reviewer, "not like this")
	f.sync()
	f.repo.Push(f.author, "older", "A word more", map[string]string{"older/more.tf": "# more\n"})
	pulls["older"].AwaitHead(f.repo.Head("older"))
	pulls["older"].head = f.repo.Head("older")
	f.sync()
	// Somebody works on the states by hand.
	f.handle("equal", func(s map[string]any) {})
	f.handle("other", func(s map[string]any) {
		a := s["resources"].([]any)[0].(map[string]any)["instances"].([]any)[0].(map[string]any)["attributes"].(map[string]any)
		a["input"] = map[string]any{"value": "elsewhere", "type": "string"}
	})
	for _, u := range units {
		pulls[u].Merge(f.owner, "merge")
	}
	runs := f.took("changes held, early held, equal applied, older held, other held")
	for _, u := range []string{"changes", "early", "older"} {
		says(t, runs[0].Unit(u).Reason, "replaces 1")
	}
	says(t, runs[0].Unit("other").Reason, "not the one that was reviewed in #")
	report := f.said(pulls["other"].Pull)
	says(t, report, "not the one that was reviewed", `"elsewhere"`, `"one"`, "mooring approve")
	for _, u := range units {
		want := "failure"
		if u == "equal" {
			want = "success"
		}
		f.status(pulls[u].head, applyStatus, want)
		f.settled(pulls[u].head)
	}
	pulls["other"].Comment(f.reviewer, "mooring discard")
	f.sync()
	says(t, f.said(pulls["other"].Pull), "discarded")
	silent(t, f.said(pulls["other"].Pull), "mooring approve")
	pulls["other"].Comment(f.reviewer, "mooring approve")
	f.sync()
	if got := f.answers(pulls["other"].Pull); len(got) != 1 {
		t.Errorf("a yes to nothing is answered with %q", got)
	}
}

// handle changes a unit's state as a person would who works on it by hand.
func (f *fixture) handle(dir string, change func(state map[string]any)) {
	f.t.Helper()
	data, err := os.ReadFile(f.stateFile(dir))
	if err != nil {
		f.t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(data, &s); err != nil {
		f.t.Fatal(err)
	}
	s["serial"] = s["serial"].(float64) + 1
	change(s)
	if data, err = json.Marshal(s); err == nil {
		err = os.WriteFile(f.stateFile(dir), data, 0o600)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func TestAPlanThatRefersToWhatItsMakingLeftIsMadeAgain(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": replacing(`"one"`)}, func(o *Options) {
		o.ToolPath = leavingFiles(t)
	})
	f.took("app applied")
	pull := f.propose("app", map[string]string{"app/main.tf": replacing(`"two"`)})
	f.sync()
	pull.Approve(f.reviewer)
	f.sync()
	pull.Merge(f.author, "merge")
	runs := f.took("app applied")
	notes := strings.Join(runs[0].Unit("app").Notes, "\n")
	says(t, notes, "approved by "+f.reviewer.Login, "planned again, and nothing in the plan differs")
	silent(t, notes, reviewedNote(pullID(pull.Number)))
	f.status(pull.State().Head, applyStatus, "success")
	f.settled(pull.State().Head)
}

// leavingFiles is a Terraform whose plans leave a file in the root module, as an archive is. The real one is beside it, since the
// machine's may lie where no run sees it.
func leavingFiles(t *testing.T) string {
	t.Helper()
	installed, err := exec.LookPath("terraform")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, real := filepath.Join(dir, "terraform"), filepath.Join(dir, "real")
	if out, err := exec.Command("cp", installed, real).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = plan ] && echo made > archive.zip\nexec '%s' \"$@\"\n", real)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// What a run could not take is still the pull request's when a later one takes it, and its
// report has the units of both.
func TestWhatFailedAfterTheMergeStaysThePullRequests(t *testing.T) {
	flag := filepath.Join(t.TempDir(), "flag")
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`)}, func(o *Options) { o.Repositories[0].HoldDirect = true })
	first := f.sync()
	f.approve(first[0].ID)
	f.took("app applied")
	pull := f.propose("more", map[string]string{
		"app/main.tf": module(`"two"`),
		"new/main.tf": module(`"new"`) + fmt.Sprintf("\nresource \"terraform_data\" \"flag\" {\n  provisioner \"local-exec\" { command = \"test -e %s\" }\n}\n", flag),
	})
	f.sync()
	pull.Merge(f.author, "squash")
	f.took("app applied, new failed")
	head := pull.State().Head
	f.status(head, applyStatus, "failure", "failed")
	says(t, f.said(pull), "`app`", "applied", "`new`", "failed")
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.took("new held") // one that is half made is not what was reviewed
	says(t, f.said(pull), "`app`", "applied", "`new`", "held", "mooring approve")
	pull.Comment(f.reviewer, "mooring approve")
	f.sync()
	f.sync()
	says(t, f.said(pull), "`app`", "`new`", "Applied")
	f.status(head, applyStatus, "success", "1 added")
	f.settled(head)
}
