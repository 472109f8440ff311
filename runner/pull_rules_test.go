package runner

import (
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/internal/forge"
)

// What the repository says of itself is the branch's word, wherever a link leads to it.
func TestAHeadDoesNotMakeItsOwnRules(t *testing.T) {
	const strict, loose = "workspace \"app\" {\n  dir        = \"app\"\n  auto_apply = \"never\"\n}\n", "workspace \"app\" {\n  dir        = \"app\"\n  auto_apply = \"always\"\n}\n"
	f := newFixture(t, map[string]string{"app/main.tf": module(`"one"`)})
	repo := f.r.repos[0]
	for name, c := range map[string]struct {
		base, head githttp.Change
		want       string
	}{
		"a file":          {githttp.Change{Write: map[string]string{"mooring.hcl": strict}}, githttp.Change{Write: map[string]string{"mooring.hcl": loose}}, "never"},
		"a file, removed": {githttp.Change{Write: map[string]string{"mooring.hcl": strict}}, githttp.Change{Remove: []string{"mooring.hcl"}}, "never"},
		"a link": {githttp.Change{Write: map[string]string{"z/rules.hcl": strict}, Symlink: map[string]string{"mooring.hcl": "z/rules.hcl"}},
			githttp.Change{Write: map[string]string{"z/rules.hcl": loose}}, "never"},
		"a link to a link": {githttp.Change{Write: map[string]string{"a/rules.hcl": strict}, Symlink: map[string]string{"mooring.hcl": "z/rules.hcl", "z/rules.hcl": "../a/rules.hcl"}},
			githttp.Change{Write: map[string]string{"a/rules.hcl": loose}}, "never"},
		"a file, made a link": {githttp.Change{Write: map[string]string{"mooring.hcl": strict}},
			githttp.Change{Remove: []string{"mooring.hcl"}, Write: map[string]string{"z/rules.hcl": loose}, Symlink: map[string]string{"mooring.hcl": "z/rules.hcl"}}, "never"},
		"nothing":            {githttp.Change{Write: map[string]string{"notes.txt": "n"}}, githttp.Change{Write: map[string]string{"mooring.hcl": loose}}, ""},
		"a link to nowhere":  {githttp.Change{Symlink: map[string]string{"mooring.hcl": "z/rules.hcl"}}, githttp.Change{Write: map[string]string{"z/rules.hcl": loose}}, ""},
		"a link to far away": {githttp.Change{Symlink: map[string]string{"mooring.hcl": "../../etc/passwd"}}, githttp.Change{Write: map[string]string{"etc/passwd": loose}}, ""},
		"a link to itself":   {githttp.Change{Symlink: map[string]string{"mooring.hcl": "mooring.hcl"}}, githttp.Change{Write: map[string]string{"notes.txt": "m"}}, ""},
	} {
		c.base.RemoveAll = true
		c.base.Write = merged(c.base.Write, map[string]string{"app/main.tf": module(`"one"`)})
		base := f.git.CommitOn(githttp.Branch, "Base", c.base)
		head := f.git.CommitOn(githttp.Branch, "Head", c.head)
		if _, err := repo.mirror.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := repo.mirror.Fetch(t.Context(), head); err != nil {
			t.Fatal(err)
		}
		graph, err := repo.scan(t.Context(), reading{head, base})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if u := graph.Unit("app"); u == nil || u.AutoApply != c.want {
			t.Errorf("%s: %+v", name, u)
		}
	}
}

func merged(a, b map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{a, b} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

// A commit counts to a pull request where that brought all of it.
func TestWhatComesWithAMergeCountsToItsPullRequest(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"one"`), "b/main.tf": module(`"one"`)}, func(o *Options) {
		o.Repositories[0].Review.Branches = []string{"review/*"}
		o.Repositories[0].HoldDirect = true
	})
	repo := f.r.repos[0]
	v := repo.reviews
	write := func(path, text string) githttp.Change { return githttp.Change{Write: map[string]string{path: text}} }
	first := f.git.Head(githttp.Branch)
	f.git.CommitOn("topic", "One", write("a/main.tf", "# 1\n"))
	f.git.CommitOn("topic", "Two", write("c.txt", "2\n"))
	head := f.git.CommitOn("topic", "Three", write("a/main.tf", "# 3\n"))
	direct := f.git.CommitOn(githttp.Branch, "Direct", write("b/main.tf", "# direct\n"))
	f.git.CommitOn("rebased", "x", githttp.Change{}) // from the branch as it is now
	f.git.SetRef("refs/heads/rebased", direct)
	one := f.git.CommitOn("rebased", "One", write("a/main.tf", "# 1\n"))
	two := f.git.CommitOn("rebased", "Two", write("c.txt", "2\n"))
	three := f.git.CommitOn("rebased", "Three", write("a/main.tf", "# 3\n"))
	f.git.SetRef("refs/heads/squashed", direct)
	squash := f.git.CommitOn("squashed", "All", githttp.Change{Write: map[string]string{"a/main.tf": "# 3\n", "c.txt": "2\n"}})
	f.git.SetRef("refs/heads/more", direct)
	more := f.git.CommitOn("more", "All, and more", githttp.Change{Write: map[string]string{"a/main.tf": "# 3\n", "c.txt": "2\n", "b/main.tf": "# more\n"}})
	f.git.SetRef("refs/heads/fixed", direct)
	fixed := f.git.CommitOn("fixed", "All, and mended", githttp.Change{Write: map[string]string{"a/main.tf": "# 3, merged by hand\n", "c.txt": "2\n"}})
	for _, c := range []string{head, three, squash, more, fixed} {
		if err := repo.mirror.Fetch(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	tried, err := repo.mirror.Merge(t.Context(), first, head)
	if err != nil {
		t.Fatal(err)
	}
	put := func(plan *pullPlan) {
		t.Helper()
		err := f.r.journal.update(func(tx *bbolt.Tx) error {
			return putPull(tx, &pull{Repository: "infra", ID: "#1", Seen: forge.PullRequest{Number: 1, Head: head, State: forge.Merged}, Plan: plan})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	plan := &pullPlan{Head: head, Base: first, Commit: tried.Commit}
	put(plan)
	if got := v.rebased(t.Context(), "#1", []string{three, two, one, direct, first}); !slices.Equal(got, []string{two, one}) {
		t.Errorf("the rebase covers %q, want %q", got, []string{two, one})
	}
	if got := v.rebased(t.Context(), "#1", []string{squash, direct, first}); len(got) != 0 {
		t.Errorf("the squash covers %q", got)
	}
	for commit, want := range map[string]bool{three: true, two: true, squash: true, fixed: true, more: false, direct: false} {
		if got := v.brings(t.Context(), "#1", commit); got != want {
			t.Errorf("%s counts to it: %t", f.git.Git("log", "-1", "--format=%s", commit), got)
		}
	}
	put(nil)
	if got := v.rebased(t.Context(), "#1", []string{three, two, one, direct, first}); len(got) != 0 {
		t.Errorf("without a plan the rebase covers %q", got)
	}
	for commit, want := range map[string]bool{squash: true, more: false, fixed: false} {
		if got := v.brings(t.Context(), "#1", commit); got != want {
			t.Errorf("without a plan %s counts to it: %t", f.git.Git("log", "-1", "--format=%s", commit), got)
		}
	}
}
