package runner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/mooring-iac/mooring/internal/terraform"
)

// serve runs the pull loop until stop, which waits for its end.
func (f *fixture) serve() (stop func()) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	served := make(chan error, 1)
	go func() { served <- f.r.Serve(ctx) }()
	return func() {
		f.t.Helper()
		cancel()
		select {
		case err := <-served:
			if err != nil {
				f.t.Fatal(err)
			}
		case <-time.After(30 * time.Second):
			f.t.Fatal("the server did not end")
		}
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) memoryOf(unit string) *memory {
	f.t.Helper()
	var m *memory
	err := f.r.journal.view(func(tx *bbolt.Tx) (err error) {
		m, err = getMemory(tx, "infra", unit)
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return m
}

// handedOver stops a Mooring in the middle of the apply of a and leaves it running.
func handedOver(t *testing.T, dir string, files map[string]string) *fixture {
	t.Helper()
	f := newFixture(t, files, func(o *Options) { o.Parallel = 1 })
	stop := f.serve()
	awaitFile(t, filepath.Join(dir, "began"))
	f.r.HandOver()
	stop()
	return f
}

func TestAnApplyGoesOnWithoutMooringAndTheNextOneRecordsIt(t *testing.T) {
	for _, when := range []string{"it still runs", "it has ended"} {
		t.Run(when, func(t *testing.T) {
			dir := t.TempDir()
			f := handedOver(t, dir, map[string]string{"a/main.tf": waiting(dir) + "output \"o\" {\n value = terraform_data.this.id\n}\n", "b/main.tf": module(`"b"`),
				"mooring.hcl": "workspace \"c\" {\n  dir = \"c\"\n  variables = { x = workspace.a.outputs.o }\n}\n", "c/main.tf": "variable \"x\" {}\noutput \"x\" {\n  value = var.x\n}\n"})
			m := f.memoryOf("a")
			if m.Intent == nil || m.Intent.Run == "" || m.Intent.Digest == "" || m.Intent.Dir == "" {
				t.Fatalf("no intent: %+v", m.Intent)
			}
			if when == "it has ended" {
				if err := f.r.Close(); err != nil {
					t.Fatal(err)
				}
				touch(t, filepath.Join(dir, "go"))
				awaitFile(t, filepath.Join(f.opts.DataDir, "run", m.Intent.Dir, "result.json"))
				f.open()
			} else {
				f.reopen()
				held, err := f.r.Locks()
				if err != nil || len(held) != 1 || held[0].Unit != "a" || held[0].Run != m.Intent.Run {
					t.Fatalf("its lock is gone while it runs: %v, %v", held, err)
				}
				touch(t, filepath.Join(dir, "go"))
			}
			runs := f.sync()
			if runs[0].ID != "r1" {
				t.Fatalf("the pass does not report what was taken further: %s", detail(runs))
			}
			runs = runs[1:]
			r1, err := f.r.Show("r1")
			must(t, err)
			if u := r1.Unit("a"); u.Status != Applied || u.Add != 1 || !strings.Contains(strings.Join(u.Notes, "\n"), "went on without Mooring") || u.ID != "a" || u.Kind != KindWorkspace {
				t.Errorf("recorded as %+v", u)
			}
			// Whoever waited for it goes on in the same pass, with its outputs.
			if got := summary(runs); got != "c applied, b applied" && got != "b applied, c applied" {
				t.Errorf("after it: %s", got)
			}
			if effects, err := os.ReadFile(filepath.Join(dir, "effects")); err != nil || string(effects) != "done\n" {
				t.Errorf("effects: %q, %v", effects, err)
			}
			f.noLocks()
			if f.memoryOf("a").Intent != nil {
				t.Error("the intent stays")
			}
			if left, err := os.ReadDir(filepath.Join(f.opts.DataDir, "run")); err != nil || len(left) != 0 {
				t.Errorf("run directories left: %v, %v", left, err)
			}
			f.expect("")
		})
	}
}

// A run directory that somebody wrote into by halves, or another Mooring, is no result:
// the apply is interrupted, with the reason, and never retried.
func TestRunDirectoriesThatCannotBeRead(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, dir string)
		says  string
	}{
		"gone": {func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) }, "its run directory is gone"},
		"half-written": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "run.json"), []byte(`{"form`), 0o600))
		}, "is half-written"},
		"another version": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "run.json"), []byte(`{"format":99}`), 0o600))
		}, "is another version's (format 99"},
		"half a result": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "result.json"), []byte(`{"format":1,"digest":"`), 0o600))
		}, "cannot be read"},
		"another one's result": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "result.json"), []byte(`{"format":1,"digest":"00"}`), 0o600))
		}, "nobody saw how it went"},
		"a pid of somebody else": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "pid"), fmt.Append(nil, os.Getpid()), 0o600))
			must(t, os.Remove(filepath.Join(dir, "result.json")))
		}, "wrote down no end"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f := handedOver(t, dir, map[string]string{"a/main.tf": waiting(dir)})
			run := filepath.Join(f.opts.DataDir, "run", f.memoryOf("a").Intent.Dir)
			must(t, f.r.Close())
			touch(t, filepath.Join(dir, "go"))
			awaitFile(t, filepath.Join(run, "result.json"))
			awaitFree(t, filepath.Join(run, "lock"))
			if name == "a pid of somebody else" { // as if the end had not been written either
				must(t, os.WriteFile(filepath.Join(run, "events.jsonl"), []byte(`{"command":"apply","what":"started","time":"2026-01-01T00:00:00Z"}`+"\n"), 0o600))
			}
			tt.spoil(t, run)
			f.open()
			runs, err := f.r.Runs(RunsQuery{})
			if err != nil || summary(runs) != "a interrupted" || !strings.Contains(runs[0].Unit("a").Error, tt.says) {
				t.Fatalf("%s, %v: %q does not say %q", summary(runs), err, runs[0].Unit("a").Error, tt.says)
			}
			f.expect("a interrupted")
			if effects, err := os.ReadFile(filepath.Join(dir, "effects")); err != nil || string(effects) != "done\n" {
				t.Errorf("effects: %q, %v", effects, err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// awaitFree waits until nobody holds the lock on a file.
func awaitFree(t *testing.T, path string) {
	t.Helper()
	for free := false; !free; time.Sleep(5 * time.Millisecond) {
		func() {
			syscall.ForkLock.RLock() // a child of another test would take the open file, and the lock, along
			defer syscall.ForkLock.RUnlock()
			file, err := os.Open(path)
			must(t, err)
			defer file.Close()
			free = unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil
		}()
	}
}

func TestCancelDuringAnApplyAndBeforeOne(t *testing.T) {
	dir := t.TempDir()
	f := newFixture(t, map[string]string{"a/main.tf": waiting(dir), "b/main.tf": module(`"b"`)}, func(o *Options) { o.Parallel = 1 })
	stop := f.serve()
	defer stop()
	awaitFile(t, filepath.Join(dir, "began"))
	run, err := f.r.Cancel(t.Context(), "r1", "ada")
	must(t, err)
	for deadline := time.Now().Add(20 * time.Second); run.Finished == nil && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		run, err = f.r.Show("r1")
		must(t, err)
	}
	if run.Status != Cancelled || run.Cancelled != "cancelled by ada" || summary([]Run{run}) != "a failed, b discarded" {
		t.Fatalf("%s\n%s", run.Status, detail([]Run{run}))
	}
	if e := run.Unit("a").Error; !strings.Contains(e, "interrupted: cancelled by ada") {
		t.Errorf("a says %q", e)
	}
	f.state("a") // whole: it parses
	f.noLocks()
	if _, err := f.r.Cancel(t.Context(), "r1", "ada"); err == nil || !strings.Contains(err.Error(), "it is cancelled") {
		t.Errorf("cancelled twice: %v", err)
	}
	if _, err := f.r.Cancel(t.Context(), "r99", "ada"); err == nil {
		t.Error("a run that is not there was cancelled")
	}
}

func TestCancelOfWhatWaitsDiscardsIt(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": replacing(`"1"`)})
	f.expect("a applied")
	f.git.Write("two", map[string]string{"a/main.tf": replacing(`"2"`)})
	run := f.expect("a held")[0]
	got, err := f.r.Cancel(t.Context(), run.ID, "ada")
	must(t, err)
	if summary([]Run{got}) != "a discarded" {
		t.Errorf("%s", detail([]Run{got}))
	}
}

// An apply that goes on without Mooring can be cancelled by one that does not serve.
func TestCancelOfAnApplyThatGoesOnAlone(t *testing.T) {
	dir := t.TempDir()
	f := handedOver(t, dir, map[string]string{"a/main.tf": waiting(dir)})
	f.reopen()
	run, err := f.r.Cancel(t.Context(), "r1", "ada")
	must(t, err)
	if summary([]Run{run}) != "a failed" || !strings.Contains(run.Unit("a").Error, "cancelled by ada") {
		t.Errorf("%s", detail([]Run{run}))
	}
	f.noLocks()
}

// However many ask at once, a saved plan is applied once.
func TestASavedPlanIsUsedOnceInAHundredRaces(t *testing.T) {
	dir := t.TempDir()
	effect := func(n string) string {
		return `
resource "terraform_data" "this" {
  triggers_replace = "` + n + `"
  provisioner "local-exec" {
    command = "echo ` + n + ` >> ` + dir + `/effects"
  }
}
`
	}
	f := newFixture(t, map[string]string{"a/main.tf": effect("1")})
	f.expect("a applied")
	f.git.Write("two", map[string]string{"a/main.tf": effect("2")})
	run := f.expect("a held")[0]
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			// Whether nothing waits any more by then is the race.
			_, _ = f.r.Approve(t.Context(), Decision{Run: run.ID, By: "ada"})
			_, err := f.r.Sync(t.Context(), SyncOptions{})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if effects, err := os.ReadFile(filepath.Join(dir, "effects")); err != nil || string(effects) != "1\n2\n" {
		t.Errorf("effects: %q, %v", effects, err)
	}
	// And in the transaction that burns it: of a hundred intents one holds.
	f.git.Write("three", map[string]string{"a/main.tf": effect("3")})
	run = f.expect("a held")[0]
	held := heldPlanOf(f, "a")
	repo := f.r.repos[0]
	graph, err := repo.graphAt(t.Context(), run.Commit)
	must(t, err)
	won := make(chan bool, 100)
	for range 100 {
		wg.Go(func() {
			m := *f.memoryOf("a")
			x := &execution{r: f.r, repo: repo, run: &run, graph: graph, tasks: map[string]task{}, known: map[string]*memory{"a": &m}}
			won <- x.intend(task{unit: graph.Unit("a"), approved: true}, &intent{Run: run.ID, Digest: held.Digest, Started: time.Now()}) == nil
		})
	}
	wg.Wait()
	close(won)
	n := 0
	for w := range won {
		if w {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of 100 intents were written", n)
	}
	if _, err := os.Stat(held.File); !os.IsNotExist(err) {
		t.Errorf("the burned plan lies there: %v", err)
	}
}

// An approved plan is refused by the name of what moved since, and a new one waits.
func TestAStalePlanNamesWhatMoved(t *testing.T) {
	for name, tt := range map[string]struct {
		move func(f *fixture)
		says string
	}{
		"the policy": {func(f *fixture) {
			f.opts.Repositories[0].AutoApply = "never"
			f.reopen()
		}, "the policy moved"},
		"the state": {func(f *fixture) {
			s := f.stateFile("a")
			data, err := os.ReadFile(s)
			must(f.t, err)
			must(f.t, os.WriteFile(s, []byte(strings.Replace(string(data), `"serial": `, `"serial": 9`, 1)), 0o600))
		}, "the state moved"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, map[string]string{"a/main.tf": replacing(`"1"`)})
			f.expect("a applied")
			f.git.Write("two", map[string]string{"a/main.tf": replacing(`"2"`)})
			run := f.expect("a held")[0]
			tt.move(f)
			f.approve(run.ID)
			again := f.expect("a held")[0]
			if why := again.Unit("a").Reason; !strings.Contains(why, tt.says+" since the plan was made, so a new plan was made") {
				t.Errorf("it waits because %q", why)
			}
		})
	}
}

// A script that somebody swaps on disk after the review does not run: the view is made
// from Git again, and a checkout that differs from what was planned would be refused.
func TestAScriptSwappedAfterTheReviewNeverRuns(t *testing.T) {
	dir := t.TempDir()
	effect := func(n string) string {
		return "resource \"terraform_data\" \"this\" {\n  triggers_replace = \"" + n + "\"\n  provisioner \"local-exec\" {\n    command = \"sh ./script.sh\"\n  }\n}\n"
	}
	f := newFixture(t, map[string]string{"a/main.tf": effect("1"), "a/script.sh": "echo reviewed >> " + dir + "/effects\n"})
	f.expect("a applied")
	f.git.Write("two", map[string]string{"a/main.tf": effect("2")})
	run := f.expect("a held")[0]
	swapped := 0
	must(t, filepath.WalkDir(f.opts.DataDir, func(name string, entry os.DirEntry, err error) error {
		if err == nil && entry.Name() == "script.sh" && entry.Type().IsRegular() {
			swapped++
			return os.WriteFile(name, []byte("echo swapped >> "+dir+"/effects\n"), 0o600)
		}
		return err
	}))
	if swapped == 0 {
		t.Fatal("there is no script to swap")
	}
	f.approve(run.ID)
	f.expect("a applied")
	if effects, err := os.ReadFile(filepath.Join(dir, "effects")); err != nil || string(effects) != "reviewed\nreviewed\n" {
		t.Errorf("effects: %q, %v", effects, err)
	}
}

func TestBindingNamesEverythingThatMoved(t *testing.T) {
	was := binding{Commit: "c", Tree: "t", Tool: "o", Variables: "v", Policy: "p", State: stateMemory{Identity: "i"}}
	if moved := was.moved(was); len(moved) != 0 {
		t.Errorf("nothing moved, and %v did", moved)
	}
	got := strings.Join(was.moved(binding{}), ", ")
	if got != "the commit, the files, the Terraform version, the variables, the policy, the backend" {
		t.Errorf("moved: %s", got)
	}
	if moved := (binding{}).moved(was); len(moved) != 6 {
		t.Errorf("a binding that is not known passes for unmoved: %v", moved)
	}
}

// While a newer state is kept, no plan is made against the old one.
func TestAKeptStateHoldsItsWorkspace(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": "terraform {\n  backend \"http\" {\n    address = \"http://127.0.0.1:9/s\"\n    retry_max = 0\n  }\n}\n"})
	dir := filepath.Join(f.opts.DataDir, "unstored", terraform.WarmName("infra", "a"))
	must(t, os.MkdirAll(dir, 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "20260101T000000.000000000.tfstate.age"), []byte("sealed"), 0o600))
	run := f.expect("a held")[0]
	if why := run.Unit("a").Reason; !strings.Contains(why, "`mooring state push a` first") {
		t.Errorf("held because %q", why)
	}
	kept, err := f.r.KeptStates()
	if err != nil || len(kept) != 1 || kept[0].Unit != "a" || kept[0].Repository != "infra" {
		t.Errorf("kept: %+v, %v", kept, err)
	}
	f.approve(run.ID)
	f.expect("a held")
}
