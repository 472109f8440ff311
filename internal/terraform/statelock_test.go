package terraform

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/httpstate"
)

// lockedOut plans and returns the lock that was in the way.
func lockedOut(t *testing.T, s *Session) *StateLockError {
	t.Helper()
	_, err := s.Plan(t.Context(), io.Discard, PlanOptions{NoLockWait: true})
	var lock *StateLockError
	if !errors.As(err, &lock) {
		t.Fatalf("the plan is not locked out: %v", err)
	}
	return lock
}

// A run that is killed with everything leaves its state lock. Only that one is freed, by its own id, and by nobody
// but the installation that made it.
func TestOwnStateLockIsFreedAndNoOther(t *testing.T) {
	t.Parallel()
	server := httpstate.New()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	r := newRepo(t, map[string]string{"app/main.tf": server.Backend("/s") + `
resource "terraform_data" "a" {
  provisioner "local-exec" { command = "touch ` + dir + `/began; sleep 60" }
}`})
	r.home.opts.Installation = []byte("this one")
	spec := r.spec("app")
	spec.BackendType, spec.Run = "http", "r7"
	s := r.ready(spec)
	plan := r.plan(s, PlanOptions{})
	lost := make(chan error, 1)
	go func() { lost <- only(s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})) }()
	waitFor(t, dir+"/began")
	if err := s.super.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-lost; !errors.Is(err, ErrLost) {
		t.Fatal(err)
	}
	s.Close()
	left, locked := server.Lock("/s")
	if !locked {
		t.Fatal("no lock was left: the test shows nothing")
	}
	spec.Run = "r8"
	// Another installation cannot tell, and leaves it alone.
	r.home.opts.Installation = []byte("another")
	s = r.ready(spec)
	lock := lockedOut(t, s)
	if lock.ID != left.ID || lock.Who != left.Who || s.OwnRun(lock) != "" {
		t.Errorf("%+v, want the holder %+v", lock, left)
	}
	if err := s.FreeStateLock(t.Context(), lock); err == nil || !strings.Contains(err.Error(), "not ours") {
		t.Errorf("a foreign lock: %v", err)
	}
	s.Close()
	r.home.opts.Installation = []byte("this one")
	s = r.ready(spec)
	lock = lockedOut(t, s)
	if s.OwnRun(lock) != "r7" {
		t.Fatalf("%+v is not known as ours", lock)
	}
	if err := s.FreeStateLock(t.Context(), lock); err != nil {
		t.Fatal(err)
	}
	if plan := r.plan(s, PlanOptions{}); plan.Add != 1 {
		t.Errorf("%+v", plan)
	}
	// Somebody else's, with a name that looks like one of ours.
	foreign := httpstate.Lock{ID: "f-1", Operation: "OperationTypeApply", Who: "anna@laptop-mooring-r8-abcdef-000000000000", Created: time.Now().UTC()}
	server.SetLock("/s", foreign)
	lock = lockedOut(t, s)
	if s.OwnRun(lock) != "" || lock.Who != foreign.Who || !strings.Contains(lock.Error(), "by anna@laptop") {
		t.Errorf("%v", lock)
	}
	if now, ok := server.Lock("/s"); !ok || now.ID != "f-1" {
		t.Errorf("the foreign lock: %+v %t", now, ok)
	}
}
