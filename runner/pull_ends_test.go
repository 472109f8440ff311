package runner

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/githttp"
)

func TestARemovedRootModuleIsDestroyedWhenSomebodyElseHasSaidSo(t *testing.T) {
	f := newReviewFixture(t, map[string]string{
		"stays/main.tf": module(`"one"`), "also/main.tf": module(`"one"`), "here/main.tf": module(`"one"`), "agreed/main.tf": module(`"one"`), "silent/main.tf": module(`"one"`),
	})
	f.took("agreed applied, also applied, here applied, silent applied, stays applied")
	remove := func(unit string) *pullOf {
		f.repo.PushChange(f.author, unit, "Remove "+unit, githttp.Change{Remove: []string{unit + "/main.tf"}})
		p := f.repo.Open(f.author, unit, "main", "Remove "+unit)
		return &pullOf{p, p.State().Head}
	}
	agreed, quiet := remove("agreed"), remove("silent")
	f.sync()
	for _, p := range []*pullOf{agreed, quiet} {
		says(t, f.said(p.Pull), "will be destroyed", "1 to destroy")
		f.status(p.head, planStatus, "success", "1 to destroy")
		f.status(p.head, policyStatus, "success", "needs a person's yes")
	}
	agreed.Approve(f.reviewer)
	f.sync()
	agreed.Merge(f.author, "merge")
	quiet.Merge(f.author, "merge")
	runs := f.took("agreed applied, silent held")
	says(t, runs[0].Unit("agreed").Reason+strings.Join(runs[0].Unit("agreed").Notes, " "), f.reviewer.Login)
	f.status(agreed.head, applyStatus, "success")
	f.status(quiet.head, applyStatus, "failure", "held")
	if got := len(f.state("silent").Resources); got != 1 {
		t.Errorf("silent has %d resources before anybody said yes", got)
	}
	quiet.Comment(f.author, "mooring approve")
	f.sync()
	f.sync()
	f.status(quiet.head, applyStatus, "failure", "held")
	quiet.Comment(f.reviewer, "mooring approve silent")
	f.sync()
	f.sync()
	f.status(quiet.head, applyStatus, "success")
	if got := len(f.state("silent").Resources) + len(f.state("agreed").Resources); got != 0 {
		t.Errorf("%d resources are left", got)
	}
	f.settled(agreed.head, quiet.head)
}

func TestDirectPushesAreHeldBesideWhatWasReviewed(t *testing.T) {
	one := module(`"one"`)
	f := newReviewFixture(t, map[string]string{"reviewed/main.tf": one, "direct/main.tf": one, "both/main.tf": one}, func(o *Options) { o.Repositories[0].HoldDirect = true })
	first := f.sync()
	f.approve(first[0].ID)
	f.took("both applied, direct applied, reviewed applied")

	a := f.propose("a", map[string]string{"reviewed/main.tf": module(`"two"`), "new/main.tf": module(`"new"`)})
	b := f.propose("b", map[string]string{"both/main.tf": module(`"two"`)})
	f.sync()
	a.Merge(f.author, "squash")
	b.Merge(f.author, "squash")
	f.repo.Push(f.owner, "main", "By hand", map[string]string{"direct/main.tf": module(`"two"`), "both/more.tf": "# more\n"})
	runs := f.took("both held, direct held, new applied, reviewed applied")
	for _, u := range []string{"both", "direct"} {
		says(t, runs[0].Unit(u).Reason, "direct pushes are held")
	}
	f.status(a.State().Head, applyStatus, "success")
	f.settled(a.State().Head, b.State().Head)
	// A word below one pull request is none about what came beside it.
	a.Comment(f.reviewer, "mooring approve direct")
	f.sync()
	f.sync()
	if got := f.state("direct").Outputs["out"].Value; got != "one" {
		t.Errorf("direct has %v", got)
	}
}

func TestHoweverAPullRequestEndsNothingIsLeftBehind(t *testing.T) {
	files := map[string]string{}
	names := []string{"close", "delete", "force", "lost", "queue", "retarget", "revert", "unseen"}
	for _, n := range names {
		files[n+"/main.tf"] = module(`"one"`)
	}
	f := newReviewFixture(t, files)
	f.sync()
	f.repo.Push(f.owner, "release", "Release", map[string]string{"release.txt": "1\n"})
	pulls := map[string]*pullOf{}
	for _, n := range names[:len(names)-1] {
		p := f.propose(n, map[string]string{n + "/main.tf": module(`"two"`)})
		pulls[n] = &pullOf{p, p.State().Head}
	}
	f.sync()
	for n, p := range pulls {
		f.status(p.head, planStatus, "success", "1 to change", n)
	}
	forced := f.repo.ForcePush(f.author, "force", "main", "Other", map[string]string{"force/main.tf": module(`"three"`)})
	pulls["force"].AwaitHead(forced)
	pulls["close"].Close(f.author)
	pulls["retarget"].Retarget(f.author, "release")
	pulls["revert"].Retitle(f.author, "Another title")
	f.server.Call(f.owner, http.MethodDelete, fmt.Sprintf("repos/%s/issues/%d", f.repo.FullName(), pulls["delete"].Number), nil, nil)
	f.repo.DeleteBranch(f.author, "lost")
	f.sync()
	says(t, f.said(pulls["force"].Pull), short(forced), `"three"`)
	f.status(forced, planStatus, "success", "1 to change")
	says(t, f.said(pulls["close"].Pull), "closed without a merge")
	f.status(pulls["close"].head, applyStatus, "error", "nothing was applied")
	says(t, f.said(pulls["retarget"].Pull), "goes to another branch")
	f.status(pulls["retarget"].head, applyStatus, "error", "goes to another branch")
	f.settled(pulls["force"].head, forced, pulls["close"].head, pulls["retarget"].head, pulls["delete"].head, pulls["lost"].head)

	// Back again; one that Mooring never saw open; a queue of its own; a revert.
	pulls["close"].Reopen(f.author)
	pulls["retarget"].Retarget(f.author, "main")
	unseen := f.propose("unseen", map[string]string{"unseen/main.tf": module(`"two"`)})
	unseen.Merge(f.author, "squash")
	pulls["unseen"] = &pullOf{unseen, unseen.State().Head}
	f.took("unseen applied")
	f.sync()
	says(t, f.said(unseen), "Applied", "`unseen`", "no plan to review")
	f.status(pulls["unseen"].head, applyStatus, "success", "1 changed")
	for _, n := range []string{"close", "retarget"} {
		f.status(pulls[n].head, planStatus, "success", "1 to change")
		silent(t, f.said(pulls[n].Pull), "closed without", "goes to another")
	}
	pulls["revert"].Merge(f.author, "merge")
	f.took("revert applied")
	back := f.propose("back", map[string]string{"revert/main.tf": module(`"one"`)})
	f.sync()
	says(t, f.said(back), `"two" -> "one"`)
	back.Merge(f.author, "rebase")
	f.took("revert applied")
	f.status(back.State().Head, applyStatus, "success", "1 changed")
	if got := f.state("revert").Outputs["out"].Value; got != "one" {
		t.Errorf("revert has %v", got)
	}
	// A merge queue tries on a branch of its own and moves the branch there.
	f.repo.Push(f.owner, "gh-readonly-queue/main/pr-5", "Merge", map[string]string{"queue/main.tf": module(`"two"`)})
	if got := slices.DeleteFunc(f.sync(), func(run Run) bool { return run.Review }); len(got) != 0 {
		t.Errorf("a queue's branch was taken: %s", summary(got))
	}
	f.repo.Push(f.owner, "main", "Merge", map[string]string{"queue/main.tf": module(`"two"`)})
	f.took("queue applied")
	f.repo.DeleteBranch(f.owner, "gh-readonly-queue/main/pr-5")
	pulls["queue"].Close(f.author)
	f.sync()
	for _, p := range pulls {
		f.settled(p.head)
	}
	for n := range pulls {
		if n != "delete" {
			f.said(pulls[n].Pull)
		}
	}
}

func TestWhatOvertakesAPlanEndsIt(t *testing.T) {
	d := newDoor(t)
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`), "merged/main.tf": module(`"one"`), "closed/main.tf": module(`"one"`), "again/main.tf": module(`"one"`)})
	f.took("again applied, app applied, closed applied, merged applied")
	v := f.r.repos[0].reviews
	look := func() {
		t.Helper()
		if err := v.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	pull := f.propose("app", map[string]string{"app/main.tf": d.behind(`"two"`)})
	one := pull.State().Head
	look()
	<-d.knocked
	first := f.planOfHead(one)
	if err := v.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.status(one, planStatus, "pending")
	two := f.repo.Push(f.author, "app", "More", map[string]string{"app/main.tf": module(`"three"`)})
	pull.AwaitHead(two)
	f.sync()
	if run, err := f.r.Show(first); err != nil || run.Finished == nil || run.Status != Cancelled && run.Status != Superseded {
		t.Errorf("the overtaken run is %s (%v)", run.Status, err)
	}
	f.status(two, planStatus, "success", "1 to change")
	f.status(one, planStatus, "error")
	f.settled(one, two)
	says(t, f.said(pull), short(two), `"three"`)

	// Merged, and closed, while it is planned.
	merged, closed := f.propose("merged", map[string]string{"merged/main.tf": d.behind(`"two"`)}), f.propose("closed", map[string]string{"closed/main.tf": d.behind(`"two"`)})
	look()
	<-d.knocked
	<-d.knocked
	closed.Close(f.author)
	merged.Merge(f.author, "merge")
	look()
	d.open()
	f.took("merged applied")
	f.sync()
	f.status(merged.State().Head, applyStatus, "success", "1 changed")
	f.status(closed.State().Head, planStatus, "error")
	f.settled(merged.State().Head, closed.State().Head)
	says(t, f.said(merged), "Applied")
}

func TestAPlanThatARestartCutShortIsMadeAgain(t *testing.T) {
	d := newDoor(t)
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`)})
	f.took("app applied")
	pull := f.propose("app", map[string]string{"app/main.tf": d.behind(`"two"`)})
	head := pull.State().Head
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- f.r.Serve(ctx) }()
	<-d.knocked
	stop()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	f.reopen()
	d.open()
	f.sync()
	f.status(head, planStatus, "success", "1 to change")
	says(t, f.said(pull), `"one" -> "two"`)
	f.settled(head)
	pull.Merge(f.author, "merge")
	f.took("app applied")
	f.reopen()
	f.sync()
	says(t, f.said(pull), "Applied")
	f.status(head, applyStatus, "success")
	f.settled(head)
}
