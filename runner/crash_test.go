package runner

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// waiting is a root module whose apply says that it began by making a file, and
// ends when another file is there.
func waiting(dir string) string {
	return `
resource "terraform_data" "this" {
  provisioner "local-exec" {
    command = "touch ` + dir + `/began; while ! test -e ` + dir + `/go; do sleep 0.05; done; echo done >> ` + dir + `/effects"
  }
}
`
}

// awaitFile waits for a file that another process makes.
func awaitFile(t *testing.T, path string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not appear", path)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// crash leaves the journal as a Mooring that was killed at this moment would.
func (f *fixture) crash() []byte {
	f.t.Helper()
	var image []byte
	err := f.r.journal.view(func(tx *bbolt.Tx) error {
		var b strings.Builder
		_, err := tx.WriteTo(&b)
		image = []byte(b.String())
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return image
}

func TestKilledDuringAnApplyIsInterruptedAndNeverRetriedByItself(t *testing.T) {
	dir := t.TempDir()
	f := newFixture(t, map[string]string{"a/main.tf": waiting(dir), "b/main.tf": module(`"b"`)}, func(o *Options) { o.Parallel = 1 })
	var wg sync.WaitGroup
	wg.Go(func() { f.sync() })
	awaitFile(t, filepath.Join(dir, "began"))
	image := f.crash()
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err := f.r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.opts.DataDir, "mooring.db"), image, 0o600); err != nil {
		t.Fatal(err)
	}
	f.open()
	f.noLocks()
	runs, err := f.r.Runs(RunsQuery{})
	if err != nil || summary(runs) != "a interrupted, b skipped" {
		t.Fatalf("after the crash: %s, %v", summary(runs), err)
	}
	if e := runs[0].Unit("a").Error; !strings.Contains(e, "nobody saw how it went") {
		t.Errorf("a says %q", e)
	}
	f.expect("a interrupted, b skipped; b unchanged") // it was applied after the moment of the crash; a is not touched
	// A person asks for a new plan; whatever it says, it waits.
	f.approve(runs[0].ID, "a")
	effects, err := os.ReadFile(filepath.Join(dir, "effects"))
	if err != nil || string(effects) != "done\n" {
		t.Errorf("effects: %q, %v", effects, err)
	}
	if got := summary(f.sync()); got != "a unchanged, b skipped" {
		t.Errorf("the new plan of a gave %q", got)
	}
}

func TestShutdownLetsARunningApplyFinish(t *testing.T) {
	dir := t.TempDir()
	f := newFixture(t, map[string]string{"a/main.tf": waiting(dir), "b/main.tf": module(`"b"`)}, func(o *Options) { o.Parallel = 1 })
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- f.r.Serve(ctx) }()
	awaitFile(t, filepath.Join(dir, "began"))
	stop()
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	f.noLocks()
	runs, err := f.r.Runs(RunsQuery{})
	if err != nil || summary(runs) != "a applied, b skipped" {
		t.Fatalf("after the drain: %s, %v", summary(runs), err)
	}
	f.reopen()
	f.expect("b applied")
}

func TestShutdownInterruptsAnApplyAfterTheGracePeriod(t *testing.T) {
	dir := t.TempDir()
	f := newFixture(t, map[string]string{"a/main.tf": waiting(dir)}, func(o *Options) { o.Grace = 100 * time.Millisecond })
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- f.r.Serve(ctx) }()
	awaitFile(t, filepath.Join(dir, "began"))
	stop()
	select {
	case err := <-served:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the server did not end")
	}
	f.noLocks()
	runs, err := f.r.Runs(RunsQuery{})
	if err != nil || summary(runs) != "a failed" {
		t.Fatalf("after the interrupt: %s, %v", summary(runs), err)
	}
	if out, err := exec.Command("terraform", "version").CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	f.state("a") // a valid state: it parses
}

func TestServeTakesACommitAndADecision(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": replacing(`"1"`)}, func(o *Options) {
		o.Repositories[0].Poll = 50 * time.Millisecond
	})
	events := make(chan Event, 1000)
	f.r.opts.Observe = func(e Event) {
		select {
		case events <- e:
		default:
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- f.r.Serve(ctx) }()
	await := func(status Status) string {
		t.Helper()
		for {
			select {
			case e := <-events:
				if e.Phase == PhaseEnd {
					if e.Status != status {
						t.Fatalf("%s ended %s, want %s", e.Run, e.Status, status)
					}
					return e.Run
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("no run ended %s", status)
			}
		}
	}
	await(Applied)
	f.git.Write("two", map[string]string{"a/main.tf": replacing(`"2"`)})
	run := await(Held)
	f.approve(run)
	if got := await(Applied); got != run {
		t.Errorf("%s was carried out, want %s", got, run)
	}
	stop()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
}
