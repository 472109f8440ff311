package reviews

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

func TestKilledDuringThePlanOfAPullRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{})
	w.serve()
	h := w.holdAnswer(post("/statuses/")) // the first status says that the plan is under way
	pull := w.propose("topic", map[string]string{"app/main.tf": w.module("app one")})
	w.killAt(h, "the status that a plan is under way")
	if s := w.repo.Statuses(pull.State().Head)["mooring/plan"]; s.State != "pending" {
		t.Errorf("the plan was not under way: %+v", s)
	}
	w.serve()
	w.converged(time.Minute, map[*gitea.Pull]expected{pull: {report: []string{"1 to add"}, status: map[string]string{"mooring/plan": "success", "mooring/policy": "success"}}})
	for _, run := range w.runs() {
		if run.Finished == nil {
			t.Errorf("%s is left %s", run.ID, run.Status)
		}
	}

	// What nobody comes back for while Mooring is away is settled when it does.
	w.drain(20 * time.Second)
	pull.Close(w.author)
	w.serve()
	w.converged(time.Minute, map[*gitea.Pull]expected{pull: {status: map[string]string{"mooring/apply": "error"}}})
}

// An apply outlives a Mooring that is killed, or begins after it: the person sees one apply, and its end.
func TestKilledDuringTheApplyAfterAMerge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{})
	w.serve()
	pull := w.propose("topic", map[string]string{"app/main.tf": w.module("gate-a app")})
	planned := expected{report: []string{"1 to add"}, status: map[string]string{"mooring/plan": "success"}}
	w.converged(time.Minute, map[*gitea.Pull]expected{pull: planned})
	pull.Approve(w.reviewer)
	pull.Merge(w.author, "squash")
	w.begun("gate-a app")
	w.kill()
	w.start()
	applying := expected{status: map[string]string{"mooring/apply": "pending"}}
	w.converged(time.Minute, map[*gitea.Pull]expected{pull: applying})
	w.open("gate-a app")
	w.settledOnce(pull, "gate-a app")

	// The same where the apply ends while nobody looks.
	second := w.propose("second", map[string]string{"other/main.tf": w.module("gate-b other")})
	w.converged(time.Minute, map[*gitea.Pull]expected{second: planned})
	second.Merge(w.author, "merge")
	w.begun("gate-b other")
	w.kill()
	w.open("gate-b other")
	w.await(time.Minute, "the apply to end", func() string {
		if w.applied("gate-b other") == 1 {
			return ""
		}
		return fmt.Sprintf("effects %q", w.lines())
	})
	w.serve()
	w.settledOnce(second, "gate-b other")

	// And where Mooring is killed at the moment it says that it applies.
	third := w.propose("third", map[string]string{"third/main.tf": w.module("third one")})
	w.converged(time.Minute, map[*gitea.Pull]expected{third: planned})
	third.Approve(w.reviewer)
	h := w.holdAnswer(post("/statuses/"))
	third.Merge(w.author, "rebase")
	w.killAt(h, "the first status after the merge")
	w.serve()
	w.settledOnce(third, "third one")
}

func (w *world) begun(line string) {
	w.t.Helper()
	w.await(time.Minute, "the apply of "+line, func() string {
		if w.applied("begin "+line) == 1 {
			return ""
		}
		return fmt.Sprintf("effects %q", w.lines())
	})
}

// settledOnce waits until a pull request says that it is applied, which happened once.
func (w *world) settledOnce(pull *gitea.Pull, line string) {
	w.t.Helper()
	w.converged(time.Minute, map[*gitea.Pull]expected{pull: {report: []string{"Applied"}, status: map[string]string{"mooring/plan": "success", "mooring/apply": "success"}}})
	if n := w.applied(line); n != 1 {
		w.t.Errorf("%q was applied %d times: %q", line, n, w.lines())
	}
	if strings.HasPrefix(line, "gate") {
		if n := w.applied("begin " + line); n != 1 {
			w.t.Errorf("the apply of %q began %d times", line, n)
		}
	}
	if held := w.locks(); len(held) > 0 {
		w.t.Errorf("locks are left: %q", held)
	}
	for _, run := range w.runs() {
		if run.Finished == nil {
			w.t.Errorf("%s is left %s", run.ID, run.Status)
		}
	}
}

// Before a merge the pull request waits for its apply, and is merged by Mooring when it is whole.
func TestKilledDuringTheApplyBeforeAMerge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{apply: "before_merge", more: "  merge = \"squash\"\n"})
	w.serve()
	pull := w.propose("topic", map[string]string{"app/main.tf": w.module("gate-a app")})
	w.converged(time.Minute, map[*gitea.Pull]expected{pull: {report: []string{"1 to add"}, status: map[string]string{"mooring/plan": "success"}}})
	pull.Comment(w.author, "mooring apply")
	w.begun("gate-a app")
	w.kill()
	w.start()
	if held := w.locks(); len(held) != 1 || held[0] != "app by #1" {
		t.Errorf("locks while it is applied: %q", held)
	}
	w.open("gate-a app")
	w.await(time.Minute, "the merge by Mooring", func() string {
		if pull.State().Merged {
			return ""
		}
		return fmt.Sprintf("it says %q", w.said(pull))
	})
	w.await(time.Minute, "the lock to be free", func() string { return strings.Join(w.locks(), ", ") })
	w.converged(time.Minute, map[*gitea.Pull]expected{pull: {report: []string{"pplied"}, status: map[string]string{"mooring/apply": "success"}}})
	if n := w.applied("gate-a app"); n != 1 {
		t.Errorf("applied %d times", n)
	}
}

// Where everything dies at once, nobody knows how the apply ended: it is said, and nothing happens again by itself.
func TestAnApplyThatDiedWithTheMachineIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{})
	w.serve()
	pull := w.propose("topic", map[string]string{"app/main.tf": w.module("gate-a app")})
	w.converged(time.Minute, map[*gitea.Pull]expected{pull: {report: []string{"1 to add"}, status: map[string]string{"mooring/plan": "success"}}})
	pull.Approve(w.reviewer)
	pull.Merge(w.author, "squash")
	w.begun("gate-a app")
	w.converged(time.Minute, map[*gitea.Pull]expected{pull: {status: map[string]string{"mooring/apply": "pending"}}})
	w.kill()
	w.killAll()
	w.serve()
	w.converged(time.Minute, map[*gitea.Pull]expected{pull: {report: []string{"interrupted"}, status: map[string]string{"mooring/apply": "failure"}}})
	if n := w.applied("begin gate-a app"); n != 1 {
		t.Errorf("it began %d times", n)
	}
	if held := w.locks(); len(held) > 0 {
		t.Errorf("locks are left: %q", held)
	}
}

// killAll ends every process that this world's Mooring has left.
func (w *world) killAll() {
	w.t.Helper()
	w.await(20*time.Second, "every process to be gone", func() string {
		left := ""
		dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is right
		for _, dir := range dirs {
			line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
			cwd, _ := os.Readlink(filepath.Join(dir, "cwd")) // "" of one that is gone
			pid, bad := strconv.Atoi(filepath.Base(dir))
			if err != nil || bad != nil || pid == os.Getpid() || len(line) == 0 || !strings.Contains(string(line)+cwd, w.dir) {
				continue
			}
			left += string(line) + "\n"
			_ = syscall.Kill(pid, syscall.SIGKILL) // gone meanwhile
		}
		return left
	})
}
