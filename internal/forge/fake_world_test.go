package forge

import (
	"fmt"
	"slices"
	"testing"
)

// fakeWorld lets the suite do things in a fake as it does in a real forge.
type fakeWorld struct {
	*fakeRepo
	cfg       Config
	reviewBy  func(p *fakePull, by int64, v Verdict)
	dismissBy func(p *fakePull, by int64)
	mergeBy   func(p *fakePull, method string)
	// statusesOf are a commit's, oldest first, in the suite's words.
	statusesOf func(commit string) []Status
}

func (w *fakeWorld) config() Config { return w.cfg }

func (w *fakeWorld) person(_ *testing.T, p Permission) (u User) {
	w.locked(func() {
		login := fmt.Sprintf("person-%d", w.serial)
		u = User{ID: w.user(login, p), Login: login}
	})
	return u
}

func (w *fakeWorld) rename(_ *testing.T, u User) User {
	w.locked(func() {
		u.Login = fmt.Sprintf("renamed-%d", w.next())
		w.users[u.ID].login = u.Login
	})
	return u
}

func (w *fakeWorld) remove(_ *testing.T, u User) {
	w.locked(func() { delete(w.users, u.ID) })
}

func (w *fakeWorld) team(_ *testing.T, members ...User) (name string) {
	w.locked(func() {
		name = fmt.Sprintf("acme/team-%d", w.next())
		w.teams[name] = nil
		for _, u := range members {
			w.teams[name] = append(w.teams[name], u.ID)
		}
	})
	return name
}

func (w *fakeWorld) commit(_ *testing.T, branch string) (commit string) {
	w.locked(func() {
		commit = w.newCommit()
		w.branches[branch] = append(w.branches[branch], commit)
	})
	return commit
}

func (w *fakeWorld) open(_ *testing.T, by User, commits int, fork bool) (number int) {
	w.locked(func() {
		p := w.fakeRepo.open(by.ID, commits)
		if p.fork = fork; fork {
			delete(w.branches, p.ref)
		}
		number = p.number
	})
	return number
}

// on does something to a pull request, which is updated by it.
func (w *fakeWorld) on(number int, do func(p *fakePull)) {
	w.locked(func() {
		w.next()
		w.pulls[number].updated = w.now
		do(w.pulls[number])
	})
}

func (w *fakeWorld) draft(_ *testing.T, number int) {
	w.on(number, func(p *fakePull) { p.draft = true })
}

func (w *fakeWorld) label(_ *testing.T, number int, name string) {
	w.on(number, func(p *fakePull) { p.labels = append(p.labels, name) })
}

func (w *fakeWorld) push(_ *testing.T, number int) (head string) {
	w.on(number, func(p *fakePull) { w.fakeRepo.push(p); head = p.head })
	return head
}

func (w *fakeWorld) close(_ *testing.T, number int) {
	w.on(number, func(p *fakePull) { p.state = Closed })
}

func (w *fakeWorld) merge(_ *testing.T, number int, method string) (tip string) {
	w.on(number, func(p *fakePull) { w.mergeBy(p, method); tip = p.brought[len(p.brought)-1] })
	return tip
}

func (w *fakeWorld) settle(*testing.T, int)        {}
func (w *fakeWorld) request(*testing.T, int, User) {}

func (w *fakeWorld) review(_ *testing.T, by User, number int, v Verdict) {
	w.on(number, func(p *fakePull) { w.reviewBy(p, by.ID, v) })
}

func (w *fakeWorld) dismiss(_ *testing.T, number int, by User) {
	w.on(number, func(p *fakePull) { w.dismissBy(p, by.ID) })
}

func (w *fakeWorld) comment(_ *testing.T, by User, number int, body string) (id int64) {
	w.on(number, func(p *fakePull) { id = w.say(p, by.ID, body).id })
	return id
}

func (w *fakeWorld) uncomment(_ *testing.T, number int, id int64) {
	w.on(number, func(p *fakePull) {
		_, c := w.fakeRepo.comment(id)
		w.fakeRepo.remove(p, c)
	})
}

func (w *fakeWorld) reactions(_ *testing.T, _ int, comment int64) (all []string) {
	w.locked(func() {
		_, c := w.fakeRepo.comment(comment)
		for name := range c.reactions {
			all = append(all, name)
		}
	})
	return all
}

func (w *fakeWorld) statuses(_ *testing.T, commit string) map[string]Status {
	last := map[string]Status{}
	w.locked(func() {
		for _, s := range w.statusesOf(commit) {
			last[s.Context] = s
		}
	})
	return last
}

func gitHubWorld(f *fakeGitHub, cfg Config) *fakeWorld {
	return &fakeWorld{
		fakeRepo: f.fakeRepo,
		cfg:      cfg,
		reviewBy: func(p *fakePull, by int64, v Verdict) { f.review(p, by, v) },
		dismissBy: func(p *fakePull, by int64) {
			for _, r := range slices.Backward(p.reviews) {
				if r.by == by {
					r.verdict = Dismissed
					return
				}
			}
		},
		mergeBy: func(p *fakePull, method string) { f.fakeRepo.merge(p, method) },
		statusesOf: func(commit string) (all []Status) {
			for _, s := range f.fakeRepo.statuses {
				if s.commit == commit {
					all = append(all, Status{Context: s.context, Check: Check(s.state), Description: s.description, URL: s.url})
				}
			}
			return all
		},
	}
}

func gitLabWorld(f *fakeGitLab, cfg Config) *fakeWorld {
	return &fakeWorld{
		fakeRepo: f.fakeRepo,
		cfg:      cfg,
		reviewBy: func(p *fakePull, by int64, v Verdict) {
			switch v {
			case Approved:
				f.approves(p, by)
			case ChangesRequested:
				f.requestsChanges(p, by)
			default:
				f.review(p, by, v)
			}
		},
		dismissBy: func(p *fakePull, by int64) { f.unapproves(p, by) },
		mergeBy:   func(p *fakePull, method string) { f.mergeBy(p, method == "squash") },
		statusesOf: func(commit string) (all []Status) {
			for _, p := range f.pipelines {
				for _, j := range p.jobs {
					if p.sha == commit {
						check := map[string]Check{"pending": Pending, "running": Pending, "success": Success, "failed": Failure}[j.state]
						all = append(all, Status{Context: j.context, Check: check, Description: j.description, URL: j.url})
					}
				}
			}
			return all
		},
	}
}
