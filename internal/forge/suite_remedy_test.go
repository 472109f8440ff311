package forge

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func carries(mark string) func(string) bool {
	return func(body string) bool { return strings.HasSuffix(body, mark) }
}

func suiteIssues(t *testing.T, w world, f *Forge) {
	ctx := t.Context()
	const mark = "<!-- mooring:drift:infra/network -->"
	none := func(what string) {
		t.Helper()
		if i, found, err := f.FindIssue(ctx, carries(mark)); err != nil || found {
			t.Errorf("%s: %+v, %v, %v", what, i, found, err)
		}
	}
	none("before")
	theirs := w.issue(t, w.person(t, Write), "Mine", "I say so.\n\n"+mark)
	none("of somebody else")
	for i := range 3 {
		must(f.OpenIssue(ctx, Issue{Title: "Another " + strconv.Itoa(i), Body: "no mark"}))(t)
	}

	const body = "Äöü 🚢 `x` | y\n\n<details><summary>1 & 2</summary>\n\n- a\n\n</details>\n\n" + mark
	made := must(f.OpenIssue(ctx, Issue{Title: strings.Repeat("Drift ", 99), Body: body, Labels: []string{"drift", "mooring"}}))(t)
	me := must(f.Self(ctx))(t)
	slices.Sort(made.Labels)
	if made.Number <= 0 || made.State != Open || made.Author.ID != me.ID || !slices.Equal(made.Labels, []string{"drift", "mooring"}) ||
		!strings.Contains(made.URL, strconv.Itoa(made.Number)) || !strings.HasPrefix(made.Title, "Drift Drift") {
		t.Errorf("opened: %+v", made)
	}
	again := must(f.OpenIssue(ctx, Issue{Title: "Later", Body: "The same.\n" + mark, Labels: []string{"drift"}}))(t)
	if found, ok, err := f.FindIssue(ctx, carries(mark)); err != nil || !ok || found.Number != made.Number || found.Body != body {
		t.Errorf("the oldest is found: %+v, %v, %v", found, ok, err)
	}
	if err := f.CloseIssue(ctx, again.Number, "Twice."); err != nil {
		t.Error(err)
	}

	if err := f.EditIssue(ctx, made.Number, "Still drift", "Now 2.\n"+mark); err != nil {
		t.Error(err)
	}
	if now := must(f.Issue(ctx, made.Number))(t); now.Title != "Still drift" || now.Body != "Now 2.\n"+mark || len(now.Labels) != 2 || now.State != Open {
		t.Errorf("edited: %+v", now)
	}
	if err := f.backend.issueComment(ctx, made.Number, "Healed by r12."); err != nil { // and then it was killed
		t.Error(err)
	}
	for range 2 {
		if err := f.CloseIssue(ctx, made.Number, "Healed by r12."); err != nil {
			t.Error(err)
		}
	}
	if said := w.said(t, made.Number); len(said) != 1 || said[0] != "Healed by r12." {
		t.Errorf("said %q", said)
	}
	if now := must(f.Issue(ctx, made.Number))(t); now.State != Closed {
		t.Errorf("closed: %+v", now)
	}
	none("when it is closed")

	for what, err := range map[string]error{
		"edit":  f.EditIssue(ctx, theirs, "x", "y"),
		"close": f.CloseIssue(ctx, theirs, "y"),
	} {
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s of another's: %v", what, err)
		}
	}
	if now := must(f.Issue(ctx, theirs))(t); now.Title != "Mine" || now.State != Open {
		t.Errorf("another's: %+v", now)
	}
	if _, err := f.Issue(ctx, 999999); !errors.Is(err, ErrNotFound) {
		t.Errorf("of a number that nobody has: %v", err)
	}
	if _, err := f.Issue(ctx, w.open(t, w.person(t, Write), 1, false)); !errors.Is(err, ErrNotFound) {
		t.Errorf("of a pull request: %v", err)
	}
	if _, err := f.OpenIssue(ctx, Issue{Title: " ", Body: "x"}); err == nil {
		t.Error("without a title")
	}
}

func suiteBranches(t *testing.T, w world, f *Forge) {
	ctx := t.Context()
	main := w.tip(t, "main")
	const name = BranchPrefix + "infra/network"
	b := Branch{
		Name: name, Base: main, BaseRef: "main", Files: map[string][]byte{"main.tf": []byte("# \"live\" Ä\n")},
		Message: "Take what is live\n\nOf infra/network.", Author: Signature{"Mooring", "mooring@example.com"},
	}
	first := must(f.Push(ctx, b))(t)
	b.Files["main.tf"], b.Author = []byte("# again\n"), Signature{}
	second := must(f.Push(ctx, b))(t)
	for commit, want := range map[string]string{first: "# \"live\" Ä\n", second: "# again\n"} {
		if got := w.read(t, commit, "main.tf"); got != want {
			t.Errorf("%s has %q, want %q", commit, got, want)
		}
		if parent := w.parent(t, commit); parent != main {
			t.Errorf("%s is on top of %s, not of %s", commit, parent, main)
		}
	}
	if tip := w.tip(t, name); tip != second {
		t.Errorf("the branch is at %s, want %s", tip, second)
	}
	if tip := w.tip(t, "main"); tip != main {
		t.Errorf("main has moved to %s", tip)
	}

	for what, spoil := range map[string]func(*Branch){
		"main":             func(b *Branch) { b.Name = "main" },
		"no name":          func(b *Branch) { b.Name = BranchPrefix },
		"a way out":        func(b *Branch) { b.Name = BranchPrefix + "../../main" },
		"a full ref":       func(b *Branch) { b.Name = "refs/heads/" + name },
		"a lock":           func(b *Branch) { b.Name = name + ".lock" },
		"spaces":           func(b *Branch) { b.Name = name + " x" },
		"no commit":        func(b *Branch) { b.Base = "main" },
		"no base":          func(b *Branch) { b.BaseRef = "" },
		"no files":         func(b *Branch) { b.Files = nil },
		"no message":       func(b *Branch) { b.Message = "\n" },
		"half an author":   func(b *Branch) { b.Author.Name = "x" },
		"git's own":        func(b *Branch) { b.Files = map[string][]byte{"a/.Git/config": nil} },
		"outside":          func(b *Branch) { b.Files = map[string][]byte{"../x": nil} },
		"an absolute path": func(b *Branch) { b.Files = map[string][]byte{"/x": nil} },
	} {
		spoiled := b
		spoil(&spoiled)
		if commit, err := f.Push(ctx, spoiled); err == nil {
			t.Errorf("%s: pushed %s", what, commit)
		}
	}
	if tip := w.tip(t, "main"); tip != main {
		t.Errorf("main has moved to %s", tip)
	}
	if err := f.DeleteBranch(ctx, "main"); !errors.Is(err, ErrRefused) {
		t.Errorf("main may be deleted: %v", err)
	}
	for range 2 {
		if err := f.DeleteBranch(ctx, name); err != nil {
			t.Error(err)
		}
	}
	if tip := w.tip(t, name); tip != "" {
		t.Errorf("the branch is still at %s", tip)
	}
}

func suiteOwnPulls(t *testing.T, w world, f *Forge) {
	ctx := t.Context()
	main := w.tip(t, "main")
	const name = BranchPrefix + "infra/db"
	p := Pull{Head: name, Base: "main", Title: "Take what is live in infra/db", Body: "It *was* 1.\n\n<!-- mark -->", Labels: []string{"drift"}}
	if pr, err := f.OpenPull(ctx, p); err == nil {
		t.Errorf("of a branch that is not there: %+v", pr)
	}
	b := Branch{Name: name, Base: main, BaseRef: "main", Files: map[string][]byte{"main.tf": []byte("# 1\n")}, Message: "Take what is live"}
	head := must(f.Push(ctx, b))(t)
	if pr, found, err := f.FindPull(ctx, name); err != nil || found {
		t.Errorf("found before: %+v, %v, %v", pr, found, err)
	}
	made := must(f.OpenPull(ctx, p))(t)
	if made.Number <= 0 || made.Head != head || made.HeadRef != name || made.Base != "main" || made.State != Open || made.Fork ||
		!slices.Equal(made.Labels, p.Labels) || made.Title != p.Title || !strings.Contains(made.URL, strconv.Itoa(made.Number)) {
		t.Errorf("opened: %+v", made)
	}
	if again := must(f.OpenPull(ctx, p))(t); again.Number != made.Number {
		t.Errorf("opened twice: #%d and #%d", made.Number, again.Number)
	}
	if pr, found, err := f.FindPull(ctx, name); err != nil || !found || pr.Number != made.Number {
		t.Errorf("found: %+v, %v, %v", pr, found, err)
	}
	b.Files["main.tf"] = []byte("# 2\n")
	head = must(f.Push(ctx, b))(t)
	w.settle(t, made.Number)
	if err := f.UpdatePull(ctx, made.Number, "It moved on", "Now 2."); err != nil {
		t.Error(err)
	}
	if now := must(f.PullRequest(ctx, made.Number))(t); now.State != Open || now.Head != head || now.Title != "It moved on" || len(now.Labels) != 1 || now.Base != "main" {
		t.Errorf("updated: %+v, want head %s", now, head)
	}
	theirs := w.open(t, w.person(t, Write), 1, false)
	for what, err := range map[string]error{"close": f.ClosePull(ctx, theirs), "edit": f.UpdatePull(ctx, theirs, "x", "y")} {
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s of another's: %v", what, err)
		}
	}
	for range 2 {
		if err := f.ClosePull(ctx, made.Number); err != nil {
			t.Error(err)
		}
	}
	if now := must(f.PullRequest(ctx, made.Number))(t); now.State != Closed {
		t.Errorf("closed: %+v", now)
	}
	if err := f.DeleteBranch(ctx, name); err != nil {
		t.Error(err)
	}
	p.Head = must(f.PullRequest(ctx, theirs))(t).HeadRef
	if _, err := f.OpenPull(ctx, p); !errors.Is(err, ErrRefused) {
		t.Errorf("of another's branch: %v", err)
	}
}
