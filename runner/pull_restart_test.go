package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/gitea"
	"github.com/mooring-iac/mooring/policies"
)

// A Mooring that ends in the middle of an apply before a merge leaves it to the next
// one, in every way in which it can end: the locks stay, and nothing is applied twice.
func TestAnApplyBeforeTheMergeOutlivesMooring(t *testing.T) {
	dirs := map[string]string{}
	f := newBeforeFixture(t, map[string]string{"base/main.tf": module(`"base"`)}, func(o *Options) {
		o.Parallel, o.Repositories[0].Poll = 1, 100*time.Millisecond
		o.Repositories[0].Review.Merge = "merge"
	})
	// half proposes two units, of which the first is applied halfway when it returns.
	half := func(name string) (pull *gitea.Pull, stop func()) {
		dirs[name] = t.TempDir()
		pull = f.propose(name, map[string]string{name + "1/main.tf": waiting(dirs[name]), name + "2/main.tf": module(`"two"`)})
		f.sync()
		pull.Approve(f.reviewer)
		f.sync()
		pull.Comment(f.author, "mooring apply")
		stop = f.serve()
		awaitFile(t, filepath.Join(dirs[name], "began"))
		return pull, stop
	}
	rest := func(name string, pull *gitea.Pull, came string) {
		t.Helper()
		f.held(fmt.Sprintf("%s1 #%d, %s2 #%d", name, pull.Number, name, pull.Number))
		r := f.said(pull)
		if !strings.Contains(r, came) || !strings.Contains(r, "1 to add") {
			t.Errorf("%s: the plan of what is left is not in\n%s", name, r)
		}
		if pull.State().Merged {
			t.Errorf("%s: it is merged, and applied half", name)
		}
		pull.Approve(f.reviewer)
		f.sync()
		f.says(f.author, pull, "mooring apply")
		if !pull.State().Merged {
			t.Errorf("%s: it is not merged: %s", name, f.said(pull))
		}
		f.held("")
		runs := f.sync()
		if name == "killed" { // nobody saw its end: that it is well is a person's to say, as ever
			f.approve(runs[0].ID, "killed1")
			if got := summary(f.sync()); got != "killed1 unchanged, killed2 superseded" {
				t.Errorf("the interrupted apply gave %q", got)
			}
			runs = f.sync()
		}
		if got := summary(runs); got != "" {
			t.Errorf("%s: the merge gave %q", name, got)
		}
		if effects, err := os.ReadFile(filepath.Join(dirs[name], "effects")); err != nil || string(effects) != "done\n" {
			t.Errorf("%s: effects are %q, %v", name, effects, err)
		}
	}

	pull, stop := half("handed")
	f.r.HandOver()
	stop()
	f.reopen()
	f.held("handed1 #1, handed2 #1")
	touch(t, filepath.Join(dirs["handed"], "go"))
	f.sync()
	rest("handed", pull, "the apply before this plan")

	pull, stop = half("stopped")
	touch(t, filepath.Join(dirs["stopped"], "go"))
	stop()
	f.reopen()
	f.sync()
	rest("stopped", pull, "the apply before this plan")

	pull, stop = half("killed")
	image := f.crash()
	touch(t, filepath.Join(dirs["killed"], "go"))
	stop()
	if err := f.r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.opts.DataDir, "mooring.db"), image, 0o600); err != nil {
		t.Fatal(err)
	}
	f.open()
	f.held("killed1 #3, killed2 #3")
	f.sync()
	rest("killed", pull, "came to interrupted")
}

// scripted is a root module whose apply leaves a word in a file.
func scripted(effects, word string) string {
	return fmt.Sprintf(`
resource "terraform_data" "this" {
  triggers_replace = %[2]q
  provisioner "local-exec" { command = "echo %[2]s >> %[1]s" }
}
`, effects, word)
}

// pushes force-pushes something evil to the branch of one of twelve pull requests at
// each of twelve moments between its plan and its apply.
type pushes struct {
	f       *reviewFixture
	effects string
	mu      sync.Mutex
	pulls   []*gitea.Pull
	good    []string
	done    [12]bool
}

func (p *pushes) at(moment int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done[moment] || len(p.pulls) <= moment {
		return
	}
	p.done[moment] = true
	unit := fmt.Sprintf("u%02d", moment)
	p.f.repo.ForcePush(p.f.author, unit, gitea.Branch, "Evil", map[string]string{unit + "/main.tf": scripted(p.effects, "evil-"+unit)})
}

// observe pushes while something is under way.
func (p *pushes) observe(e Event) {
	moment := -1
	run, err := p.f.r.Show(e.Run)
	if err != nil {
		return
	}
	applies := run.PullRequest == 0
	if run.PullRequest > 0 {
		pull, err := p.f.r.pull("infra", pullID(run.PullRequest))
		if err != nil {
			return
		}
		applies, moment = pull.Applied == e.Run, run.PullRequest-1
	}
	for i, want := range []struct {
		phase   Phase
		applies bool
	}{1: {PhaseBegin, false}, 2: {PhaseInit, false}, 3: {PhasePlan, false}, 4: {PhaseDone, false}, 5: {PhaseEnd, false}, 9: {PhaseBegin, true}, 10: {PhaseApply, true}, 11: {PhaseEnd, true}} {
		if want.phase != "" && want.phase == e.Phase && want.applies == applies && (moment < 0 || moment == i) {
			p.at(i)
		}
	}
}

// all approves what the reviewer saw, whatever has been pushed since.
func (p *pushes) approve() {
	for i, pull := range p.pulls {
		// Gitea takes a review of the head that it was written for.
		_ = p.f.server.Try(p.f.reviewer, "POST", "repos/"+p.f.repo.FullName()+fmt.Sprintf("/pulls/%d/reviews", pull.Number),
			map[string]any{"event": "APPROVED", "body": "", "commit_id": p.good[i]}, nil)
	}
}

func TestOnlyWhatWasApprovedIsEverRun(t *testing.T) {
	for _, mode := range []ApplyMode{BeforeMerge, AfterMerge} {
		t.Run(string(mode), func(t *testing.T) {
			p := &pushes{effects: filepath.Join(t.TempDir(), "effects")}
			f := newBeforeFixture(t, map[string]string{"README.md": "hello"}, func(o *Options) {
				o.Observe, o.Repositories[0].AutoApply = func(e Event) { p.observe(e) }, policies.Never
				o.Repositories[0].Review.Merge = "merge"
				o.Repositories[0].Apply = mode
			})
			p.f = f
			var opened []*gitea.Pull
			for i := range 12 {
				unit := fmt.Sprintf("u%02d", i)
				opened = append(opened, f.propose(unit, map[string]string{unit + "/main.tf": scripted(p.effects, "good-"+unit)}))
				p.good = append(p.good, opened[i].State().Head)
			}
			p.pulls = opened
			p.at(0)
			f.sync()
			p.at(6)
			p.approve()
			f.sync()
			p.at(7)
			for _, pull := range opened {
				if mode == BeforeMerge {
					pull.Comment(f.author, "mooring apply")
				} else if err := pull.TryMerge(f.author, "merge"); err != nil {
					pull.Merge(f.author, "merge")
				}
			}
			p.at(8)
			f.sync()
			f.sync()
			for _, pull := range opened {
				pull.Comment(f.author, "mooring apply")
				pull.Comment(f.author, "mooring approve")
			}
			f.sync()
			for i, done := range p.done {
				if !done {
					t.Errorf("nothing was pushed at moment %d", i)
				}
			}
			effects, err := os.ReadFile(p.effects)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(effects), "evil") {
				t.Errorf("what nobody approved was run:\n%s", effects)
			}
			for i := range 12 {
				unit := fmt.Sprintf("u%02d", i)
				n, want := strings.Count(string(effects), "good-"+unit+"\n"), 0
				if i >= 9 { // of a branch that moved on after its merge nobody can tell which head was merged: it is held
					want = 1
				}
				if n != want {
					t.Errorf("what was approved of %s was run %d times, want %d", unit, n, want)
				}
				if state := opened[i].State(); mode == BeforeMerge && state.Merged {
					if main := f.repo.Show(state.MergeCommit, unit+"/main.tf"); strings.Contains(main, "evil") {
						t.Errorf("Mooring merged what nobody approved of %s", unit)
					}
				}
			}
		})
	}
}
