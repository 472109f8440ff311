package runner

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

// beforeMerge has pull requests applied before they are merged, once somebody else
// than their author has approved them.
func beforeMerge(o *Options) {
	c := &o.Repositories[0]
	c.Apply, c.Review.Require = BeforeMerge, []Requirement{RequireApproved, RequireMergeable, RequirePolicies}
}

// newBeforeFixture is a repository whose branch was applied before its pull requests
// are.
func newBeforeFixture(t *testing.T, files map[string]string, change ...func(*Options)) *reviewFixture {
	t.Helper()
	f := newReviewFixture(t, files)
	for _, run := range f.sync() {
		if run.Status != Applied {
			t.Fatalf("before anything began: %s", summary([]Run{run}))
		}
	}
	beforeMerge(&f.opts)
	for _, c := range change {
		c(&f.opts)
	}
	f.reopen()
	return f
}

// holders are the units that are locked, with who has them: "app #1, db #1".
func (f *reviewFixture) holders() string {
	f.t.Helper()
	all, err := f.r.Locks()
	if err != nil {
		f.t.Fatal(err)
	}
	var held []string
	for _, l := range all {
		held = append(held, l.Unit+" "+l.Run)
	}
	slices.Sort(held)
	return strings.Join(held, ", ")
}

func (f *reviewFixture) held(want string) {
	f.t.Helper()
	if got := f.holders(); got != want {
		f.t.Errorf("locked are %q, want %q", got, want)
	}
}

// words are what Mooring's report in a pull request says, and what else it said there.
func (f *reviewFixture) words(pull *gitea.Pull) (report string, answers []string) {
	f.t.Helper()
	for _, c := range pull.Comments() {
		switch {
		case c.By.ID != f.bot.ID:
		case strings.Contains(c.Body, "mooring:report"):
			if report != "" {
				f.t.Fatalf("two reports:\n%s\n---\n%s", report, c.Body)
			}
			report = c.Body
		default:
			answers = append(answers, c.Body)
		}
	}
	return report, answers
}

// answered compares the last thing that was said beside the report.
func (f *reviewFixture) answered(pull *gitea.Pull, want string) {
	f.t.Helper()
	_, answers := f.words(pull)
	for i := range answers {
		answers[i] = strings.ReplaceAll(html.UnescapeString(answers[i]), "`", "")
	}
	if want = strings.ReplaceAll(want, "grace", f.reviewer.Login); len(answers) == 0 || !strings.Contains(answers[len(answers)-1], want) {
		f.t.Errorf("%q is not the last of %q", want, answers)
	}
}

// stands compares a status of the head: "success" and some words of it.
func (f *reviewFixture) stands(pull *gitea.Pull, context, state, words string) {
	f.t.Helper()
	head := pull.State().Head
	if s := f.repo.Statuses(head)[context]; s.State != state || !strings.Contains(s.Description, words) {
		f.t.Errorf("%s of %s is %s %q, want %s %q", context, short(head), s.State, s.Description, state, words)
	}
}

func (f *reviewFixture) out(dir, want string) {
	f.t.Helper()
	if got := f.state(dir).Outputs["out"].Value; got != want {
		f.t.Errorf("%s has %v, want %v", dir, got, want)
	}
}

func (f *reviewFixture) says(by *gitea.Account, pull *gitea.Pull, text string) {
	f.t.Helper()
	pull.Comment(by, text)
	f.sync()
}

// What a pull request plans is its own until it is merged; it is applied when
// everything holds that has to, and Mooring merges it.
func TestAPullRequestIsAppliedBeforeItsMerge(t *testing.T) {
	f := newBeforeFixture(t, map[string]string{"app/main.tf": module(`"one"`), "other/main.tf": module(`"other"`)}, func(o *Options) {
		o.Repositories[0].Review.Merge = "squash"
		o.Repositories[0].Review.Require = append(o.Repositories[0].Review.Require, RequireUpToDate)
	})
	pull := f.propose("topic", map[string]string{"app/main.tf": module(`"two"`)})
	f.sync()
	f.held("app #1")
	if r := f.said(pull); !strings.Contains(r, "mooring apply") || !strings.Contains(r, "approved, mergeable, policies, `up_to_date`") {
		t.Errorf("what to type next is missing in\n%s", r)
	}
	f.says(f.author, pull, "mooring apply")
	f.answered(pull, "not applied: nobody but the author has approved it")
	pull.Approve(f.reviewer)

	f.repo.Push(f.author, gitea.Branch, "elsewhere", map[string]string{"README.md": "hello"})
	f.says(f.author, pull, "mooring apply")
	f.answered(pull, "not applied: it does not hold everything that the branch has: update it first")
	// The author updates it: that is another head, and the yes was to the one before.
	head := f.repo.ForcePush(f.author, "topic", gitea.Branch, "Change topic", map[string]string{"app/main.tf": module(`"two"`)})
	pull.AwaitHead(head)
	f.sync()
	f.says(f.author, pull, "mooring apply")
	f.answered(pull, "grace approved an older head")
	f.reopen() // the locks of open pull requests outlive Mooring
	f.held("app #1")
	change := pull.RequestChanges(f.reviewer, "not yet")
	f.says(f.author, pull, "mooring apply")
	f.answered(pull, "asks for changes")
	pull.Dismiss(f.owner, change, "settled")
	pull.Approve(f.reviewer)
	f.out("app", "one")
	f.says(f.author, pull, "mooring apply nothing")
	f.answered(pull, `the plan has no unit "nothing"`)

	f.says(f.author, pull, "mooring apply app")
	f.out("app", "two")
	if s := pull.State(); !s.Merged {
		t.Errorf("it is not merged: %+v", s)
	}
	f.stands(pull, "mooring/apply", "success", "")
	f.stands(pull, "mooring/plan", "success", "1 to change")
	if r := f.said(pull); !strings.Contains(r, "Applied") {
		t.Errorf("the apply is not in\n%s", r)
	}
	f.held("")
	serial := f.state("app").Serial
	f.expect("") // what the branch has now is what was applied
	f.reopen()
	f.expect("")
	if f.state("app").Serial != serial {
		t.Error("it was applied twice")
	}
}

const tail = `
workspace "first" { dir = "first" }
workspace "tail" {
  dir        = "tail"
  depends_on = [workspace.first]
}
`

func chainFiles(network, db string) map[string]string {
	return map[string]string{
		"mooring.hcl":     chain + tail,
		"network/main.tf": module(network),
		"db/main.tf":      "variable \"vpc\" {}\n" + module(db),
		"first/main.tf":   module(`"first"`),
		"tail/main.tf":    module(`"tail"`),
	}
}

// Some of a pull request may be applied first; what is left is planned again, and
// needs a yes of its own. One that is closed leaves what it applied to the branch.
func TestAPullRequestIsAppliedBitByBit(t *testing.T) {
	f := newBeforeFixture(t, chainFiles(`"vpc-1"`, `"db in ${var.vpc}"`))
	files := map[string]string{"network/main.tf": module(`"vpc-2"`), "first/main.tf": module(`"first-2"`), "tail/main.tf": module(`"tail-2"`)}
	for i := range 7 { // more than the branch has: they must not count as gone from it
		files[fmt.Sprintf("new%d/main.tf", i)] = module(`"new"`)
	}
	pull := f.propose("both", files)
	f.sync()
	all := "db #1, first #1, network #1, new0 #1, new1 #1, new2 #1, new3 #1, new4 #1, new5 #1, new6 #1, tail #1"
	f.held(all)
	pull.Approve(f.reviewer)
	f.says(f.author, pull, "mooring apply db")
	f.answered(pull, "not applied: db is deferred: there is nothing to apply")
	f.says(f.author, pull, "mooring apply tail")
	f.answered(pull, "not applied: tail comes after first: apply that too, or first")
	f.says(f.author, pull, "mooring apply network first new0 new1 new2 new3 new4 new5 new6")
	f.out("network", "vpc-2")
	f.out("db", "db in vpc-1")
	f.held(all)
	if r := f.said(pull); !strings.Contains(r, "the apply before this plan") || !strings.Contains(r, "1 to change") {
		t.Errorf("the plan of what is left is not in\n%s", r)
	}
	f.says(f.author, pull, "mooring apply")
	f.answered(pull, "grace approved before this plan was there to be seen")
	f.out("db", "db in vpc-1")

	// A push to the branch leaves alone what the pull request has and the branch has not yet.
	f.repo.Push(f.author, gitea.Branch, "elsewhere", map[string]string{"alone/main.tf": module(`"alone"`)})
	f.sync()
	runs, err := f.r.Runs(RunsQuery{})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(runs, func(r Run) bool { return r.Trigger != OnPullRequest })
	if got := summary(runs[i : i+1]); got != "alone planned" || runs[i].Held != "" {
		t.Errorf("the branch's own run gave %q, held %q", got, runs[i].Held)
	}
	f.held(all)

	pull.Approve(f.reviewer)
	f.says(f.author, pull, "mooring apply")
	f.out("db", "db in vpc-2")
	f.held(all) // nobody asked Mooring to merge it
	f.stands(pull, "mooring/apply", "success", "")
	if pull.State().Merged {
		t.Error("it merged by itself")
	}
	f.says(f.author, pull, "mooring apply")
	f.answered(pull, "not applied: it was applied already, by r")
	pull.Merge(f.author, "rebase")
	f.sync()
	f.held("")
	f.sync()
	if runs := f.sync(); len(runs) != 0 {
		t.Errorf("the merge gave %s", detail(runs))
	}

	// A second one is applied and closed: the branch has its say about all that it did.
	pull = f.propose("never", map[string]string{"network/main.tf": module(`"vpc-3"`), "extra/main.tf": module(`"extra"`)})
	f.sync()
	pull.Approve(f.reviewer)
	f.says(f.author, pull, "mooring apply")
	f.out("network", "vpc-3")
	f.held("db #2, extra #2, network #2")
	pull.Close(f.author)
	f.sync()
	f.held("")
	f.stands(pull, "mooring/apply", "error", "closed after an apply")
	runs = f.sync()
	if got := summary(runs); got != "network planned, extra planned" {
		t.Errorf("after the close the branch's own plans are %q\n%s", got, detail(runs))
	}
}

// fails is a root module whose apply fails for as long as a file is missing.
func fails(file, value string) string {
	return fmt.Sprintf(`
resource "terraform_data" "first" { input = %[2]s }
resource "terraform_data" "this" {
  depends_on       = [terraform_data.first]
  triggers_replace = %[2]s
  provisioner "local-exec" { command = "test -e %[1]s" }
}
output "out" { value = terraform_data.first.output }
`, file, value)
}

// What fails is said, planned again and shown; what moved is not applied at all. The
// locks stay.
func TestAnApplyBeforeTheMergeThatFailsIsPlannedAgain(t *testing.T) {
	ok := filepath.Join(t.TempDir(), "ok")
	if err := os.WriteFile(ok, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := newBeforeFixture(t, map[string]string{"app/main.tf": fails(ok, `"one"`), "b/main.tf": module(`"b1"`)})
	pull := f.propose("topic", map[string]string{"app/main.tf": fails(ok, `"two"`)})
	f.sync()
	pull.Approve(f.reviewer)
	if err := os.Remove(ok); err != nil {
		t.Fatal(err)
	}
	f.says(f.author, pull, "mooring apply")
	f.held("app #1")
	r := f.said(pull)
	for _, want := range []string{"came to failed", "app failed", "local-exec provisioner error", "1 to destroy"} {
		if !strings.Contains(r, want) {
			t.Errorf("%q is missing in\n%s", want, r)
		}
	}
	if _, answers := f.words(pull); len(answers) != 0 {
		t.Errorf("it was also said: %q", answers)
	}
	if err := os.WriteFile(ok, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.reopen()
	f.held("app #1")
	f.says(f.author, pull, "mooring apply")
	f.answered(pull, "grace approved before this plan was there to be seen")
	pull.Approve(f.reviewer)
	f.sync()

	// The state moves under the plan: what was reviewed is not what would happen.
	f.outside("app", `"elsewhere"`, ok)
	f.says(f.author, pull, "mooring apply")
	f.out("app", "elsewhere")
	if r := f.said(pull); !strings.Contains(r, "came to failed") || !strings.Contains(r, "moved") && !strings.Contains(r, "stale") {
		t.Errorf("that the plan was stale is not in\n%s", r)
	}
	f.held("app #1")
	pull.Approve(f.reviewer)
	f.says(f.author, pull, "mooring apply")
	f.out("app", "two")
	pull.Merge(f.author, "merge")
	f.sync()
	f.held("")
	if got := summary(f.sync()); got != "" {
		t.Errorf("the merge gave %q", got)
	}
}

// outside changes what a root module made, past Mooring.
func (f *reviewFixture) outside(dir, value, ok string) {
	f.t.Helper()
	path := f.stateFile(dir)
	data, err := os.ReadFile(path)
	if err != nil {
		f.t.Fatal(err)
	}
	serial := f.state(dir).Serial
	text := strings.Replace(string(data), fmt.Sprintf(`"serial": %d`, serial), fmt.Sprintf(`"serial": %d`, serial+1), 1)
	text = strings.ReplaceAll(text, `"two"`, value)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	_ = ok
}

// Three want the same: the second and the third wait in order and are told so; who
// wants what is free does not.
func TestPullRequestsThatWantTheSameWaitInOrder(t *testing.T) {
	files := map[string]string{}
	for _, u := range []string{"a", "b", "c", "d"} {
		files[u+"/main.tf"] = module(`"` + u + `"`)
	}
	f := newBeforeFixture(t, files)
	change := func(units ...string) map[string]string {
		files := map[string]string{}
		for _, u := range units {
			files[u+"/main.tf"] = module(`"` + u + strings.Join(units, "") + `"`)
		}
		return files
	}
	one := f.propose("one", change("a", "b"))
	two := f.propose("two", change("b", "c"))
	three := f.propose("three", change("c", "a"))
	four := f.propose("four", change("d"))
	f.sync()
	f.held("a #1, b #1, d #4")
	f.stands(one, "mooring/plan", "success", "2 to change")
	f.stands(two, "mooring/plan", "pending", "waits for #1")
	f.stands(three, "mooring/plan", "pending", "#1")
	f.stands(three, "mooring/plan", "pending", "#2") // c is free, and two's first
	f.stands(four, "mooring/plan", "success", "1 to change")
	if r := f.said(two); !strings.Contains(r, "waits for") || !strings.Contains(r, "b is locked by `#1`: this is planned when that is merged, closed or unlocked") {
		t.Errorf("it is not told whom it waits for:\n%s", r)
	}
	f.says(f.author, two, "mooring apply")
	f.answered(two, "not applied: it waits for #1")
	for range 2 {
		f.reopen()
		f.sync()
		f.held("a #1, b #1, d #4")
	}

	f.says(f.reviewer, one, "mooring unlock")
	f.held("b #2, c #2, d #4")
	f.stands(one, "mooring/plan", "failure", "unlocked by")
	f.stands(two, "mooring/plan", "success", "2 to change")
	f.stands(three, "mooring/plan", "pending", "waits for #2")
	f.says(f.author, one, "mooring plan") // behind the others now
	f.held("b #2, c #2, d #4")
	f.stands(one, "mooring/plan", "pending", "#3")

	two.Close(f.author)
	f.sync()
	f.held("a #3, c #3, d #4")
	f.stands(two, "mooring/plan", "success", "")
	if _, err := f.r.Unlock("", "c", "root"); err != nil {
		t.Fatal(err)
	}
	f.held("d #4") // all or none, by the command line too
	f.sync()
	f.held("a #1, b #1, d #4")
	f.stands(three, "mooring/plan", "failure", "unlocked by root")

	one.Approve(f.reviewer)
	f.says(f.author, one, "mooring apply")
	one.Merge(f.author, "merge")
	f.sync()
	f.held("d #4")
	f.out("a", "aab")
	f.sync()
	f.says(f.author, three, "mooring plan")
	f.held("d #4")
	f.stands(three, "mooring/plan", "failure", "")
	three.AwaitHead(f.repo.ForcePush(f.author, "three", gitea.Branch, "Change three", change("c", "a")))
	f.sync()
	f.held("a #3, c #3, d #4")
	if r := f.said(three); !strings.Contains(r, "aab") {
		t.Errorf("it is not planned against what was merged:\n%s", r)
	}
}

// A pull request that loses its turn for ever does not keep others from theirs.
func TestOneThatWaitsForNothingMoreLeavesTheQueue(t *testing.T) {
	f := newBeforeFixture(t, map[string]string{"a/main.tf": module(`"a"`), "b/main.tf": module(`"b"`)})
	one := f.propose("one", map[string]string{"a/main.tf": module(`"a1"`)})
	two := f.propose("two", map[string]string{"a/main.tf": module(`"a2"`), "b/main.tf": module(`"b2"`)})
	three := f.propose("three", map[string]string{"b/main.tf": module(`"b3"`)})
	f.sync()
	f.held("a #1")
	f.stands(three, "mooring/plan", "pending", "waits for #2")
	two.Retitle(f.author, "WIP: two")
	f.sync()
	f.held("a #1, b #3")
	f.stands(two, "mooring/plan", "failure", "draft")
	// A conflict is no plan either, and keeps nothing.
	one.Retarget(f.owner, "two")
	f.sync()
	f.held("b #3")
}

// What an earlier head applied, and the head no longer changes, is still the pull
// request's: it stays locked, and is taken back by the next apply.
func TestWhatAnEarlierHeadAppliedIsTakenBack(t *testing.T) {
	f := newBeforeFixture(t, map[string]string{"a/main.tf": module(`"a"`), "b/main.tf": module(`"b"`)})
	pull := f.propose("topic", map[string]string{"a/main.tf": module(`"a1"`)})
	f.sync()
	pull.Approve(f.reviewer)
	f.says(f.author, pull, "mooring apply")
	f.out("a", "a1")
	pull.AwaitHead(f.repo.ForcePush(f.author, "topic", gitea.Branch, "Another way", map[string]string{"b/main.tf": module(`"b1"`)}))
	f.sync()
	f.held("a #1, b #1")
	f.stands(pull, "mooring/plan", "success", "2 to change")
	f.says(f.author, pull, "mooring apply")
	f.answered(pull, "approved an older head")
	pull.Approve(f.reviewer)
	f.says(f.author, pull, "mooring apply")
	f.out("a", "a")
	f.out("b", "b1")
	pull.Merge(f.author, "merge")
	f.sync()
	f.held("")
	if got := summary(f.sync()); got != "" {
		t.Errorf("the merge gave %q", got)
	}
}
