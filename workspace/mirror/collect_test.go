package mirror_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/workspace/mirror"
)

// leftCheckout is a checkout that another process left and, until free is called,
// still reads: a real process that has the lock file open.
func leftCheckout(t *testing.T, m *mirror.Mirror, name string) (dir string, free func()) {
	t.Helper()
	dir = filepath.Join(m.Dir(), "checkouts", name)
	if err := os.MkdirAll(filepath.Join(dir, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a", "main.tf"), []byte("# left"), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "a"), 0o555); err != nil {
		t.Fatal(err)
	}
	reader := exec.Command("flock", "--shared", dir+".lock", "cat")
	in, err := reader.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := reader.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("locked\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 16)); err != nil { // it answers when it has the lock
		t.Fatal(err)
	}
	return dir, func() {
		in.Close()
		if err := reader.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestCollectTakesCheckoutsThatNobodyHolds(t *testing.T) {
	if _, err := exec.LookPath("flock"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("flock is not on PATH, and CI must not skip")
		}
		t.Skip("SKIPPED: flock is not on PATH; another process has to hold a lock")
	}
	repo := newRepo(t, map[string]string{"a/main.tf": "# a"})
	m := open(t, mirror.Remote{URL: repo.Dir})
	mine := checkout(t, m, fetch(t, m))
	left, free := leftCheckout(t, m, "0123456789012345678901234567890123456789")
	now := time.Now()
	collect := func(what string, dryRun bool, want int) {
		t.Helper()
		freed, err := m.Collect(now, now, dryRun)
		if err != nil || freed.Removed != want || (freed.Bytes > 0) != (want > 0) {
			t.Errorf("%s: %+v %v, want %d", what, freed, err, want)
		}
		if _, err := os.Stat(filepath.Join(mine.Dir, "a", "main.tf")); err != nil {
			t.Errorf("%s: a checkout that is held: %v", what, err)
		}
	}
	collect("another process reads it", false, 0)
	free()
	collect("dry run", true, 1)
	if _, err := os.Stat(left); err != nil {
		t.Errorf("a dry run: %v", err)
	}
	collect("nobody reads it", false, 1)
	collect("again", false, 0)
	if err := mine.Release(); err != nil {
		t.Fatal(err)
	}
	if names := checkoutsIn(t, filepath.Dir(m.Dir())); len(names) != 0 {
		t.Errorf("left: %v", names)
	}
}

// A checkout is made, used and released in many goroutines while everything that
// nobody holds is collected.
func TestCollectBesideCheckouts(t *testing.T) {
	repo := newRepo(t, map[string]string{"a/main.tf": "# a", "b/main.tf": "# b"})
	m := open(t, mirror.Remote{URL: repo.Dir})
	commit := fetch(t, m)
	done, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-done:
				ended <- nil
				return
			default:
			}
			if freed, err := m.Collect(time.Now(), time.Now(), false); err != nil || freed.Removed > 0 {
				t.Errorf("collected %+v, %v: everything was held", freed, err)
			}
		}
	}()
	for range 200 {
		c, err := m.Checkout(t.Context(), commit)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.ReadFile(filepath.Join(c.Dir, "b", "main.tf")); err != nil {
			t.Fatal(err)
		}
		if err := c.Release(); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	<-ended
}

func TestCollectTakesWhatWasMovedAside(t *testing.T) {
	repo := newRepo(t, map[string]string{"a/main.tf": "# a"})
	m := open(t, mirror.Remote{URL: repo.Dir})
	aside, killed := filepath.Join(m.Dir(), "git.damaged"), filepath.Join(m.Dir(), ".old-17-git.damaged")
	for _, dir := range []string{aside, killed} {
		if err := os.MkdirAll(filepath.Join(dir, "objects"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	if freed, err := m.Collect(now, now.Add(-time.Hour), false); err != nil || freed.Removed != 0 {
		t.Errorf("young: %+v %v", freed, err)
	}
	if _, err := os.Stat(killed); !os.IsNotExist(err) {
		t.Errorf("what a killed collection left is still there: %v", err)
	}
	if freed, err := m.Collect(now, now.Add(time.Hour), false); err != nil || freed.Removed != 1 {
		t.Errorf("old: %+v %v", freed, err)
	}
	if _, err := os.Stat(aside); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	fetch(t, m)
}

func TestRemoveUnusedMirror(t *testing.T) {
	repo := newRepo(t, map[string]string{"a/main.tf": "# a"})
	dir := t.TempDir()
	m := openIn(t, dir, mirror.Remote{URL: repo.Dir})
	c := checkout(t, m, fetch(t, m))
	now := time.Now()
	remove := func(what string, before time.Time, dryRun bool, want int) {
		t.Helper()
		freed, err := mirror.RemoveUnused(m.Dir(), before, dryRun)
		if err != nil || freed.Removed != want || (freed.Bytes > 0) != (want > 0) {
			t.Errorf("%s: %+v %v, want %d", what, freed, err, want)
		}
	}
	remove("a checkout is held", now.Add(time.Hour), false, 0)
	if err := c.Release(); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	remove("used lately", now.Add(-time.Hour), false, 0)
	remove("dry run", now.Add(time.Hour), true, 1)
	remove("unused", now.Add(time.Hour), false, 1)
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left: %v %v", left, err)
	}
}
