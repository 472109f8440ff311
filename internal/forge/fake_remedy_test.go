package forge

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

type fakeIssue struct {
	number      int
	title, body string
	author      int64
	labels      []string
	state       State
	talk        *fakePull // what its comments hang on
}

type fakeCommit struct {
	parent, message string
	files           map[string]string
}

// number is the next one of issues and pull requests.
func (r *fakeRepo) number() int {
	n := 0
	for _, all := range [][]int{slices.Collect(maps.Keys(r.pulls)), slices.Collect(maps.Keys(r.issues))} {
		for _, i := range all {
			n = max(n, i)
		}
	}
	return n + 1
}

func (r *fakeRepo) openIssue(by int64, title, body string, labels []string) *fakeIssue {
	n := r.number()
	i := &fakeIssue{number: n, title: title, body: body, author: by, labels: labels, state: Open, talk: &fakePull{number: n}}
	r.issues[n] = i
	return i
}

func (r *fakeRepo) sortedIssues(by int64) (all []*fakeIssue) {
	for _, n := range slices.Sorted(maps.Keys(r.issues)) {
		if i := r.issues[n]; i.state == Open && i.author == by {
			all = append(all, i)
		}
	}
	return all
}

// filesOf are a commit's.
func (r *fakeRepo) filesOf(commit string) map[string]string {
	if c := r.made[commit]; c != nil {
		return c.files
	}
	return map[string]string{"main.tf": "# nothing yet\n"}
}

// commitFiles makes a commit on top of another.
func (r *fakeRepo) commitFiles(parent, message string, files map[string]string) string {
	commit := r.newCommit()
	r.made[commit] = &fakeCommit{parent: parent, message: message, files: files}
	return commit
}

// move puts a branch, and the pull request of it, onto a commit.
func (r *fakeRepo) move(branch, commit string) {
	r.branches[branch] = []string{commit}
	for _, p := range r.pulls {
		if p.ref == branch && !p.fork && p.state == Open {
			p.commits = []string{commit}
			r.moved(p)
		}
	}
}

// drop removes a branch, which closes its pull request.
func (r *fakeRepo) drop(branch string) {
	delete(r.branches, branch)
	for _, p := range r.pulls {
		if p.ref == branch && !p.fork && p.state == Open {
			p.state = Closed
		}
	}
}

// openOf opens a pull request of a branch that is there.
func (r *fakeRepo) openOf(head, base, title, body string) *fakePull {
	p := &fakePull{number: r.number(), title: title, body: body, author: r.bot, ref: head, base: base, state: Open, mergeable: Yes, commits: slices.Clone(r.branches[head])}
	r.pulls[p.number] = p
	r.moved(p)
	return p
}

// refusesPull says why a pull request of a branch cannot be opened; "" where it can.
func (r *fakeRepo) refusesPull(head, base string) string {
	switch {
	case r.branches[head] == nil:
		return "head does not exist"
	case r.branches[base] == nil:
		return "base does not exist"
	}
	for _, p := range r.pulls {
		if p.ref == head && p.base == base && p.state == Open {
			return fmt.Sprintf("Another open pull request already exists: #%d", p.number)
		}
	}
	return ""
}

func (w *fakeWorld) issue(_ *testing.T, by User, title, body string) (number int) {
	w.locked(func() { number = w.openIssue(by.ID, title, body, nil).number })
	return number
}

func (w *fakeWorld) said(_ *testing.T, issue int) (all []string) {
	w.locked(func() {
		for _, c := range w.issues[issue].talk.comments {
			all = append(all, c.body)
		}
	})
	return all
}

func (w *fakeWorld) tip(_ *testing.T, branch string) (commit string) {
	w.locked(func() {
		if all := w.branches[branch]; len(all) > 0 {
			commit = all[len(all)-1]
		}
	})
	return commit
}

func (w *fakeWorld) parent(_ *testing.T, commit string) (parent string) {
	w.locked(func() { parent = w.made[commit].parent })
	return parent
}

func (w *fakeWorld) read(_ *testing.T, commit, file string) (text string) {
	w.locked(func() { text = w.filesOf(commit)[file] })
	return text
}
