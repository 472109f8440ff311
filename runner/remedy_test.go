package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/runner/drift"
	"github.com/mooring-iac/mooring/workspace"
)

// desk is a forge in memory; branches are on the fixture's repository.
type desk struct {
	f      *fixture
	issues []forge.Issue
	pulls  []forge.PullRequest
	bodies []string // of pulls
	words  []string // last ones, of issues
	calls  []string // that change something
	fail   map[string]error
	after  map[string]error // of calls that are carried out, and whose answer is lost
}

func (d *desk) do(call string) error {
	if err := d.fail[call]; err != nil {
		return err
	}
	d.calls = append(d.calls, call)
	return d.after[call]
}

func (d *desk) FindIssue(_ context.Context, marked func(string) bool) (forge.Issue, bool, error) {
	for _, i := range d.issues {
		if i.State == forge.Open && marked(i.Body) {
			return i, true, nil
		}
	}
	return forge.Issue{}, false, nil
}

func (d *desk) Issue(_ context.Context, n int) (forge.Issue, error) { return d.issues[n-1], nil }

func (d *desk) OpenIssue(_ context.Context, i forge.Issue) (forge.Issue, error) {
	i.Number, i.State = len(d.issues)+1, forge.Open
	if d.fail["open issue"] == nil {
		d.issues = append(d.issues, i)
	}
	return i, d.do("open issue")
}

func (d *desk) EditIssue(_ context.Context, n int, title, body string) error {
	d.issues[n-1].Title, d.issues[n-1].Body = title, body
	return d.do("edit issue")
}

func (d *desk) CloseIssue(_ context.Context, n int, word string) error {
	d.issues[n-1].State, d.words = forge.Closed, append(d.words, word)
	return d.do("close issue")
}

func (d *desk) Push(_ context.Context, b forge.Branch) (string, error) {
	if err := d.do("push"); err != nil {
		return "", err
	}
	write := map[string]string{}
	for file, text := range b.Files {
		write[file] = string(text)
	}
	return d.f.git.ForceCommit(b.Name, b.Base, b.Message, githttp.Change{Write: write}), nil
}

func (d *desk) DeleteBranch(_ context.Context, name string) error {
	if d.f.git.Head(name) != "" {
		d.f.git.DeleteBranch(name)
	}
	return d.do("delete branch")
}

func (d *desk) FindPull(_ context.Context, head string) (forge.PullRequest, bool, error) {
	for _, p := range d.pulls {
		if p.State == forge.Open && p.HeadRef == head {
			return p, true, nil
		}
	}
	return forge.PullRequest{}, false, nil
}

func (d *desk) PullRequest(_ context.Context, n int) (forge.PullRequest, error) {
	p := d.pulls[n-1]
	if head := d.f.git.Head(p.HeadRef); head != "" {
		p.Head = head
	}
	return p, nil
}

func (d *desk) OpenPull(_ context.Context, p forge.Pull) (forge.PullRequest, error) {
	made := forge.PullRequest{Number: len(d.pulls) + 1, Title: p.Title, State: forge.Open, HeadRef: p.Head, Base: p.Base, Labels: p.Labels}
	d.pulls, d.bodies = append(d.pulls, made), append(d.bodies, p.Body)
	return made, d.do("open pull")
}

func (d *desk) UpdatePull(_ context.Context, n int, title, body string) error {
	d.pulls[n-1].Title, d.bodies[n-1] = title, body
	return d.do("update pull")
}

func (d *desk) ClosePull(_ context.Context, n int) error {
	d.pulls[n-1].State = forge.Closed
	return d.do("close pull")
}

func (d *desk) did(want string) {
	d.f.t.Helper()
	if got := strings.Join(d.calls, ", "); got != want {
		d.f.t.Fatalf("done at the forge: %s\nwant: %s", got, want)
	}
	d.calls = nil
}

// remedied is a repository with one unit that has drifted from "one" to "other".
func remedied(t *testing.T, rung workspace.Remediate, more string) (*fixture, *desk) {
	t.Helper()
	f := newFixture(t, map[string]string{"a/main.tf": module(`"one"`), "mooring.hcl": fmt.Sprintf("drift {\n  every = \"6h\"\n  remediate = %q\n}\n", rung) + more},
		func(o *Options) { o.Repositories[0].Drift.Remediate = rung })
	d := &desk{f: f, fail: map[string]error{}, after: map[string]error{}}
	f.sitAt(d)
	f.expect("a applied")
	f.editState("a", "one", "other")
	return f, d
}

func (f *fixture) sitAt(d *desk) {
	repo := f.r.repos[0]
	repo.remedies = &remedier{r: f.r, repo: repo, issues: d, pulls: d, limit: 60000, wake: make(chan struct{}, 1)}
}

func TestADriftHasOneIssueUntilItIsHealed(t *testing.T) {
	f, d := remedied(t, workspace.RemediateIssue, "")
	f.scan("a planned")
	d.did("open issue")
	if body := d.issues[0].Body; !strings.Contains(body, `"other"`) || !strings.Contains(body, "terraform_data.this") {
		t.Errorf("the issue says\n%s", body)
	}
	f.scan("a planned")
	d.did("")
	f.editState("a", "other", "third")
	f.scan("a planned")
	d.did("edit issue")
	f.editState("a", "third", "one")
	f.scan("a unchanged")
	d.did("close issue")
	f.scan("a unchanged")
	d.did("")
	if len(d.issues) != 1 || len(d.words) != 1 || !strings.Contains(d.words[0], "outside of Mooring") {
		t.Errorf("%d issues, last words %q", len(d.issues), d.words)
	}
}

func TestKilledBeforeAnIssueIsWrittenDownItIsStillOne(t *testing.T) {
	f, d := remedied(t, workspace.RemediateIssue, "")
	d.after["open issue"] = forge.ErrUnavailable
	if _, err := f.r.Scan(t.Context(), ScanOptions{}); !errors.Is(err, forge.ErrUnavailable) {
		t.Fatalf("the scan says %v", err)
	}
	delete(d.after, "open issue")
	f.reopen()
	f.sitAt(d)
	f.scan("a planned")
	d.did("open issue, edit issue")
	if len(d.issues) != 1 {
		t.Errorf("%d issues", len(d.issues))
	}
}

func TestAPullRequestWritesWhatIsLive(t *testing.T) {
	f, d := remedied(t, workspace.RemediatePullRequest, "")
	f.scan("a planned")
	d.did("push, open pull")
	branch := d.pulls[0].HeadRef
	text := f.git.Git("show", branch+":a/main.tf")
	if !strings.Contains(text, `input = "other"`) {
		t.Fatalf("the branch says\n%s", text)
	}
	f.scan("a planned")
	d.did("")
	f.editState("a", "other", "third")
	f.scan("a planned")
	d.did("push, update pull")
	// A person merges it.
	f.git.SetRef("refs/heads/"+githttp.Branch, f.git.Head(branch))
	d.pulls[0].State = forge.Merged
	err := f.r.journal.update(func(tx *bbolt.Tx) error {
		return putPull(tx, &pull{Repository: "infra", ID: "#1", Ended: true, Seen: d.pulls[0]})
	})
	if err != nil {
		t.Fatal(err)
	}
	f.expect("a unchanged")
	f.scan("a unchanged")
	d.did("delete branch")
	all, err := f.r.Drifts(DriftQuery{Ended: true})
	if err != nil || len(all) != 1 || !strings.HasPrefix(all[0].EndedBy, "#1, run ") || !all[0].Healing() {
		t.Errorf("history: %+v, %v", all, err)
	}
}

// Who closes a pull request has said what they think of that drift. Of another one they have not.
func TestAPullRequestThatAPersonClosedIsNotOpenedAgain(t *testing.T) {
	f, d := remedied(t, workspace.RemediatePullRequest, "")
	f.scan("a planned")
	d.did("push, open pull")
	d.pulls[0].State = forge.Closed
	f.scan("a planned")
	d.did("delete branch")
	f.scan("a planned")
	d.did("")
	f.editState("a", "other", "third")
	f.scan("a planned")
	d.did("push, open pull")
	f.editState("a", "third", "one")
	f.scan("a unchanged")
	d.did("update pull, close pull, delete branch")
	if len(d.pulls) != 2 || len(d.issues) != 0 {
		t.Errorf("%d pull requests, %d issues", len(d.pulls), len(d.issues))
	}
}

func TestWhoPushesToTheBranchOfAPullRequestOwnsIt(t *testing.T) {
	f, d := remedied(t, workspace.RemediatePullRequest, "")
	f.scan("a planned")
	d.did("push, open pull")
	branch := d.pulls[0].HeadRef
	theirs := f.git.ForceCommit(branch, f.git.Head(branch), "More of it", githttp.Change{Write: map[string]string{"a/notes.txt": "x"}})
	f.editState("a", "other", "third")
	f.scan("a planned")
	d.did("")
	if now := f.git.Head(branch); now != theirs {
		t.Errorf("the branch is at %s, and they left it at %s", now, theirs)
	}
	f.editState("a", "third", "one")
	f.scan("a unchanged")
	d.did("update pull, close pull, delete branch")
}

func TestKilledBeforeAPullRequestIsWrittenDownItIsStillOne(t *testing.T) {
	for _, answer := range []string{"push", "open pull"} {
		t.Run(answer, func(t *testing.T) {
			f, d := remedied(t, workspace.RemediatePullRequest, "")
			d.after[answer] = forge.ErrUnavailable
			if _, err := f.r.Scan(t.Context(), ScanOptions{}); !errors.Is(err, forge.ErrUnavailable) {
				t.Fatalf("the scan says %v", err)
			}
			delete(d.after, answer)
			f.reopen()
			f.sitAt(d)
			f.scan("a planned")
			f.scan("a planned")
			if len(d.pulls) != 1 || d.pulls[0].State != forge.Open || len(d.issues) != 0 {
				t.Fatalf("pull requests: %+v, issues: %+v", d.pulls, d.issues)
			}
			f.editState("a", "other", "one")
			f.scan("a unchanged")
			if d.pulls[0].State != forge.Closed || f.git.Head(d.pulls[0].HeadRef) != "" {
				t.Errorf("%+v, and its branch is at %q", d.pulls[0], f.git.Head(d.pulls[0].HeadRef))
			}
		})
	}
}

func TestWhatMayNotBeHealedIsAnIssueThatSaysWhy(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": replacing(`"one"`), "mooring.hcl": "drift {\n  remediate = \"apply\"\n}\n"},
		func(o *Options) { o.Repositories[0].Drift.Remediate = workspace.RemediateApply })
	d := &desk{f: f, fail: map[string]error{}, after: map[string]error{}}
	f.sitAt(d)
	f.expect("a applied")
	f.editState("a", `"one"`, `"other"`)
	f.scan("a planned")
	d.did("open issue")
	if body := d.issues[0].Body; !strings.Contains(body, "the plan destroys 1") {
		t.Errorf("the issue says\n%s", body)
	}
	f.editState("a", `"other"`, `"one"`)
	f.scan("a unchanged")
	d.did("close issue")
}

// What another client did to an object is written into its manifest.
func TestAPullRequestWritesWhatIsLiveIntoAManifest(t *testing.T) {
	cluster, live := withCluster(t)
	f := newFixture(t, map[string]string{
		"rm/app.yaml": configMapText("rm-app", "one"),
		"mooring.hcl": "drift {\n  remediate = \"pull_request\"\n}\n" + sets("rm"),
	}, cluster, func(o *Options) { o.Repositories[0].Drift.Remediate = workspace.RemediatePullRequest })
	d := &desk{f: f, fail: map[string]error{}, after: map[string]error{}}
	f.sitAt(d)
	f.expect("rm applied")
	patch := func(value string) {
		t.Helper()
		if _, err := live.Patch(t.Context(), "rm-app", types.MergePatchType, fmt.Appendf(nil, `{"data":{"value":%q}}`, value),
			metav1.PatchOptions{FieldManager: "kubectl-edit"}); err != nil {
			t.Fatal(err)
		}
	}
	patch("other")
	f.scan("rm planned")
	d.did("push, open pull")
	text := f.git.Git("show", d.pulls[0].HeadRef+":rm/app.yaml")
	if want := configMapText("rm-app", "other"); strings.TrimSpace(text) != strings.TrimSpace(want) {
		t.Errorf("the branch says\n%s", text)
	}
	if !strings.Contains(d.bodies[0], "by kubectl-edit") {
		t.Errorf("it says\n%s", d.bodies[0])
	}
	patch("one")
	f.scan("rm unchanged")
	d.did("update pull, close pull, delete branch")
}

func TestWhatNoFileHoldsIsAnIssueThatSaysWhy(t *testing.T) {
	f, d := remedied(t, workspace.RemediatePullRequest, "")
	f.git.Write("by a variable", map[string]string{"a/main.tf": module("var.x") + "variable \"x\" { default = \"cobalt\" }\nlocals { y = var.x }\n"})
	f.expect("a applied")
	f.editState("a", "cobalt", "umber")
	f.scan("a planned")
	d.did("open issue")
	if len(d.issues) != 1 || !strings.Contains(d.issues[0].Body, "Mooring does not heal it") {
		t.Errorf("issues: %+v", d.issues)
	}
	if len(d.pulls) != 0 {
		t.Errorf("pull requests: %+v", d.pulls)
	}
}

func TestAForgeThatTakesNoBranchGetsAnIssueAndPeopleAreTold(t *testing.T) {
	f, d := remedied(t, workspace.RemediatePullRequest, "")
	d.fail["push"] = fmt.Errorf("push: %w", forge.ErrDenied)
	if _, err := f.r.Scan(t.Context(), ScanOptions{}); !errors.Is(err, forge.ErrDenied) {
		t.Fatalf("the scan says %v", err)
	}
	d.did("open issue")
	people := &ears{}
	f.r.notify = people
	for range 3 {
		if err := f.r.lookAtItself(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := people.states(); got != "operator firing" {
		t.Errorf("told: %s", got)
	}
	delete(d.fail, "push")
	f.scan("a planned")
	d.did("push, open pull, close issue")
	if err := f.r.lookAtItself(t.Context()); err != nil || people.states() != "operator firing, operator resolved" {
		t.Errorf("told: %s, %v", people.states(), err)
	}
}

func TestAnAcknowledgedDriftOpensNothing(t *testing.T) {
	f, d := remedied(t, workspace.RemediateIssue, "")
	at := f.r.opts.Now()
	records := []drift.Record{{Repository: "infra", Unit: "a", Finding: drift.Finding{Address: "x.y", Class: drift.OutOfBand, Fingerprint: "f"},
		Began: at, Ack: &drift.Ack{Until: at.Add(1e12), Fingerprint: "f"}}}
	if err := f.r.journal.update(func(tx *bbolt.Tx) error { return putDrift(tx, &records[0]) }); err != nil {
		t.Fatal(err)
	}
	if err := f.r.remedyNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.did("")
}
