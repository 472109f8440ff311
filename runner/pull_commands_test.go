package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/e2e/gitea"
	"github.com/mooring-iac/mooring/internal/comment"
	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/internal/outbox"
)

// authority is a pull request in which everything stands ready for every command.
type authority struct {
	f    *reviewFixture
	v    *reviewer
	id   string
	base pull // as it stands before a command
	next int64
}

// cell is one command by one person.
type cell struct {
	by    forge.User
	verb  comment.Verb
	stale bool // the approval is one of an older head
}

// came is what came of it.
type came struct {
	answer string // beside "" is silence
	seen   bool   // a reaction
	effect string
}

// give has a person give a command, and sees what came of it.
func (a *authority) give(c cell) came {
	t, r := a.f.t, a.f.r
	t.Helper()
	a.next++
	said := forge.Comment{ID: a.next, By: c.by, Body: "mooring " + string(c.verb)}
	var key []want
	p := a.base
	for i := range p.Reviews {
		if c.stale {
			p.Reviews = slices.Clone(p.Reviews)
			p.Reviews[i].Commit = strings.Repeat("0", 40)
		}
	}
	run := &Run{Repository: "infra", Commit: p.Plan.Head, Trigger: OnPullRequest, Started: r.opts.Now(), Units: []UnitResult{{ID: "app", Kind: KindWorkspace, Status: Held}}}
	switch c.verb {
	case comment.VerbApprove, comment.VerbDiscard:
		run.Status = Held
	case comment.VerbCancel:
		run.Status, run.Units[0].Status = Running, Running
	}
	err := r.journal.update(func(tx *bbolt.Tx) error {
		if c.verb == comment.VerbApprove || c.verb == comment.VerbDiscard || c.verb == comment.VerbCancel {
			if err := createRun(tx, run); err != nil {
				return err
			}
			p.Applied = run.ID
		}
		if err := releasePull(tx, &p); err != nil {
			return err
		}
		if c.verb == comment.VerbUnlock {
			key = []want{{"app", queueKey("app")}}
			if _, err := claim(tx, &p, key, r.opts.Now()); err != nil {
				return err
			}
		}
		p.Heard = 0
		return putPull(tx, &p)
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if c.verb == comment.VerbCancel {
		stopped, done := r.cancellable(ctx, run.ID)
		defer done()
		ctx = stopped
	}
	cmd, ours, wrong := comment.Parse(said.Body)
	if !ours || wrong != nil {
		t.Fatalf("%q: %t, %v", said.Body, ours, wrong)
	}
	if err := a.v.obey(t.Context(), a.id, said, cmd, wrong); err != nil {
		t.Fatalf("%s by %s: %v", said.Body, c.by.Login, err)
	}
	var got came
	got.answer, got.seen = a.f.told(a.id, said.ID)
	now, err := r.pull("infra", a.id)
	if err != nil {
		t.Fatal(err)
	}
	held, err := r.Locks()
	if err != nil {
		t.Fatal(err)
	}
	var decided []verdict
	if err := r.journal.view(func(tx *bbolt.Tx) (err error) { decided, err = verdicts(tx, "infra"); return err }); err != nil {
		t.Fatal(err)
	}
	switch {
	case now.Again == c.by.Login && (!now.Seen.Fork || now.Allowed == now.Seen.Head):
		got.effect = "planned"
	case c.verb == comment.VerbApply && strings.Contains(got.answer, "it has no lock of app any more"):
		got.effect = "applied" // everything else was asked before
	case slices.ContainsFunc(decided, func(d verdict) bool { return d.Run == run.ID && d.Approve }):
		got.effect = "approved"
	case c.verb == comment.VerbDiscard && a.f.shown(run.ID).Units[0].Status == Discarded:
		got.effect = "discarded"
	case c.verb == comment.VerbCancel && cancelledBy(ctx) == "cancelled by "+c.by.Login:
		got.effect = "cancelled"
	case c.verb == comment.VerbUnlock && len(held) == 0:
		got.effect = "unlocked"
	case strings.Contains(got.answer, "mooring unlock") && c.verb == comment.VerbHelp:
		got.effect = "helped"
	}
	if got.effect != "" && got.effect != "helped" {
		got.answer = ""
	}
	err = r.journal.update(func(tx *bbolt.Tx) error { // the next one finds nothing of this one
		if run.ID != "" {
			run.Status, run.Units[0].Status = Discarded, Discarded
			if err := putRun(tx, run); err != nil {
				return err
			}
		}
		if err := putPull(tx, &a.base); err != nil {
			return err
		}
		return tx.Bucket(decisionBucket).ForEach(func(k, _ []byte) error { return tx.Bucket(decisionBucket).Delete(k) })
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (f *reviewFixture) shown(run string) Run {
	f.t.Helper()
	got, err := f.r.Show(run)
	if err != nil {
		f.t.Fatal(err)
	}
	return got
}

// told is what waits to be said of a comment.
func (f *reviewFixture) told(id string, comment int64) (answer string, seen bool) {
	f.t.Helper()
	err := f.r.journal.view(func(tx *bbolt.Tx) error {
		due, _, err := outbox.Due(tx, queueOf("infra"), f.r.opts.Now().Add(time.Hour))
		for _, it := range due {
			var n note
			if err := json.Unmarshal(it.Body, &n); err != nil {
				return err
			}
			if n.Pull == id && n.Comment == comment {
				seen = seen || n.React == forge.Seen
				if n.Answer != "" {
					answer = n.Answer
				}
			}
		}
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return answer, seen
}

// Who may what, whose branch it is, and whether the yes is one to what is there now.
func TestWhoMayGiveWhichCommand(t *testing.T) {
	f := newBeforeFixture(t, map[string]string{"app/main.tf": module(`"one"`), "other/main.tf": module(`"one"`)})
	people := map[string]*gitea.Account{"author": f.author}
	for role, permission := range map[string]string{"stranger": "", "reader": "read", "forker": "read", "writer": "write", "admin": "admin", "renamed": "write", "deployer": "write", "approver": "write"} {
		people[role] = f.server.User(role)
		if permission != "" {
			f.repo.Collaborator(people[role], permission)
		}
	}
	user := func(role string) forge.User {
		return forge.User{ID: people[role].ID, Login: people[role].Login} // a renamed one as Mooring knew them
	}
	org := f.server.Organisation(f.owner, "acme")
	org.Team("deployers", "read", []*gitea.Account{people["deployer"], f.bot})
	org.Team("approvers", "read", []*gitea.Account{people["approver"], f.bot})
	f.server.Call(f.server.Admin, http.MethodPost, "admin/users/"+url.PathEscape(people["renamed"].Login)+"/rename", map[string]any{"new_username": people["renamed"].Login + "-b"}, nil)
	// Somebody else takes the name that was given up.
	f.server.Call(f.server.Admin, http.MethodPost, "admin/users", map[string]any{"username": people["renamed"].Login, "password": "of nobody 1!", "email": "taker-" + people["renamed"].Login + "@example.com", "must_change_password": false}, nil)

	own := f.propose("own", map[string]string{"app/main.tf": module(`"two"`)})
	fork := f.repo.Fork(people["forker"])
	fork.Push(people["forker"], "theirs", "Change", map[string]string{"other/main.tf": module(`"two"`), "app/main.tf": module(`"two"`)})
	foreign := f.repo.Open(people["forker"], fork.HeadRef("theirs"), gitea.Branch, "Change of a fork")
	own.Approve(people["approver"])
	f.sync()
	f.stands(foreign, "mooring/plan", "pending", "")
	f.says(people["forker"], foreign, "mooring plan")
	f.answered(foreign, "mooring plan needs write access to the repository")
	f.says(people["writer"], own, "mooring unlock") // app is the fork's now
	f.says(people["writer"], foreign, "mooring plan")
	f.stands(foreign, "mooring/plan", "success", "")
	foreign.Approve(people["approver"])
	f.sync()

	roles := []string{"stranger", "reader", "forker", "writer", "admin", "author", "renamed", "deployer", "approver"}
	may := func(role string, verb comment.Verb, id string, stale, teams bool) (effect, words string) {
		done := map[comment.Verb]string{
			comment.VerbPlan: "planned", comment.VerbApply: "applied", comment.VerbApprove: "approved", comment.VerbDiscard: "discarded",
			comment.VerbUnlock: "unlocked", comment.VerbCancel: "cancelled", comment.VerbHelp: "helped",
		}
		deploys := verb == comment.VerbApply || verb == comment.VerbUnlock || verb == comment.VerbCancel
		approves := verb == comment.VerbApprove || verb == comment.VerbDiscard
		switch {
		case role == "stranger":
			return "", ""
		case verb == comment.VerbHelp:
			return done[verb], ""
		case role == "reader" || role == "forker":
			return "", "needs write access to the repository"
		case teams && deploys && role != "deployer":
			return "", "is for members of acme"
		case teams && approves && role != "approver":
			return "", "is for members of acme"
		case verb == comment.VerbApprove && role == "author" && id == "#1":
			return "", "the author's own yes does not count"
		case verb == comment.VerbApply && stale:
			return "", "approved an older head"
		}
		return done[verb], ""
	}
	cells := 0
	for _, pr := range []*gitea.Pull{own, foreign} {
		id := pullID(pr.Number)
		known, err := f.r.pull("infra", id)
		if err != nil {
			t.Fatal(err)
		}
		if id == "#1" { // its plan was dropped for the other's: it is made again for what follows
			foreignPull, err := f.r.pull("infra", "#2")
			if err != nil {
				t.Fatal(err)
			}
			if err := f.r.journal.update(func(tx *bbolt.Tx) error { return releasePull(tx, foreignPull) }); err != nil {
				t.Fatal(err)
			}
			f.says(people["writer"], own, "mooring plan")
			own.Approve(people["approver"])
			f.sync()
			if known, err = f.r.pull("infra", id); err != nil {
				t.Fatal(err)
			}
		}
		a := &authority{f: f, v: f.r.repos[0].reviews, id: id, base: *known, next: 1 << 40}
		for _, teams := range []bool{false, true} {
			a.v.cfg.Teams = TeamConfig{}
			if teams {
				a.v.cfg.Teams = TeamConfig{Apply: []string{org.Login + "/deployers"}, Approve: []string{org.Login + "/approvers"}}
			}
			for _, stale := range []bool{false, true} {
				for _, role := range roles {
					for _, verb := range comment.Verbs() {
						cells++
						effect, words := may(role, verb, id, stale, teams)
						got := a.give(cell{by: user(role), verb: verb, stale: stale})
						name := fmt.Sprintf("%s, %s in %s, stale %t, teams %t", role, verb, id, stale, teams)
						if got.effect != effect || !strings.Contains(strings.ReplaceAll(got.answer, org.Login, "acme"), words) || (effect == "" && words == "") != (got.answer == "" && got.effect == "" && !got.seen) {
							t.Errorf("%s: %+v, want %q %q", name, got, effect, words)
						}
					}
				}
			}
		}
	}
	t.Logf("%d cells", cells)
}

// A command is the first line of a comment, word for word, said once.
func TestCommandsAreFirstLinesSaidOnce(t *testing.T) {
	f := newBeforeFixture(t, map[string]string{"app/main.tf": module(`"one"`)})
	pull := f.propose("topic", map[string]string{"app/main.tf": module(`"two"`)})
	f.sync()
	plans := func() (n int) {
		runs, err := f.r.Runs(RunsQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			if r.Trigger == OnPullRequest {
				n++
			}
		}
		return n
	}
	if n := plans(); n != 1 {
		t.Fatalf("%d plans", n)
	}
	for _, text := range []string{"please\nmooring plan", " mooring plan", "> mooring plan", "`mooring plan`", "Mooring plan", "moorings plan", "@mooring plan"} {
		pull.Comment(f.author, text)
	}
	pull.Comment(f.bot, "mooring plan")
	f.sync()
	if _, answers := f.words(pull); len(answers) != 1 || plans() != 1 { // the one that we said ourselves
		t.Errorf("%d plans, and it is said %q", plans(), answers)
	}
	typo := pull.Comment(f.author, "mooring aply")
	f.sync()
	f.answered(pull, "did you mean mooring apply?")
	pull.EditComment(f.author, typo, "mooring plan")
	f.sync()
	f.says(f.author, pull, "mooring plan --target=x")
	f.answered(pull, "commands take no flags")
	f.says(f.author, pull, "mooring help")
	f.answered(pull, "mooring unlock")
	if n := plans(); n != 1 {
		t.Errorf("%d plans", n)
	}
	asked := pull.Comment(f.author, "mooring plan\nsince it may have changed")
	f.sync()
	if n := plans(); n != 2 {
		t.Errorf("%d plans", n)
	}
	if got := f.reactions(asked); got != "eyes" {
		t.Errorf("the reaction is %q", got)
	}
	f.reopen()
	f.sync()
	if n := plans(); n != 2 {
		t.Errorf("%d plans after a restart", n)
	}

	// A Mooring that has lost its data meets the pull request again: what was asked then was done then.
	_, before := f.words(pull)
	if err := f.r.Close(); err != nil {
		t.Fatal(err)
	}
	f.opts.DataDir = t.TempDir() + "/data"
	f.open()
	f.sync()
	f.sync()
	if _, answers := f.words(pull); len(answers) != len(before) || plans() != 1 {
		t.Errorf("%d plans, and it is said %q, before %q", plans(), answers, before)
	}
}

func (f *reviewFixture) reactions(c gitea.Comment) string {
	f.t.Helper()
	var all []struct{ Content string }
	f.server.Call(f.owner, http.MethodGet, "repos/"+f.repo.FullName()+"/issues/comments/"+fmt.Sprint(c.ID)+"/reactions", nil, &all)
	var names []string
	for _, r := range all {
		names = append(names, html.EscapeString(r.Content))
	}
	return strings.Join(names, " ")
}
