package runner

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/workspace"
)

// bare opens a Runner without repositories.
func bare(t *testing.T, change ...func(*Options)) *Runner {
	t.Helper()
	o := Options{DataDir: filepath.Join(t.TempDir(), "data"), Now: func() time.Time { return noon }}
	for _, c := range change {
		c(&o)
	}
	r, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// past writes n ended runs of three units with a log each, an hour apart, the last
// of which ended an hour before noon.
func past(t *testing.T, r *Runner, n int) {
	t.Helper()
	err := r.journal.update(func(tx *bbolt.Tx) error {
		for i := range n {
			end := noon.Add(-time.Duration(n-i) * time.Hour)
			run := &Run{Repository: "infra", Commit: strings.Repeat("c", 40), Trigger: OnCommit, Started: end.Add(-time.Minute), Finished: &end}
			for _, id := range []string{"a", "b", "c"} {
				run.Units = append(run.Units, UnitResult{ID: id, Kind: KindWorkspace, Status: Applied})
			}
			run.Settle()
			if err := createRun(tx, run); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		writeLog(t, r, fmt.Sprintf("r%d", i+1))
	}
}

func writeLog(t *testing.T, r *Runner, run string) {
	t.Helper()
	name, err := r.logFile(run, "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, bytes.Repeat([]byte("x"), 4000), 0o600); err != nil {
		t.Fatal(err)
	}
}

func collect(t *testing.T, r *Runner, dryRun bool) map[string]Freed {
	t.Helper()
	done, err := r.Collect(t.Context(), CollectOptions{DryRun: dryRun})
	if err != nil {
		t.Fatal(err)
	}
	by, total := map[string]Freed{}, int64(0)
	for _, k := range done.Kinds {
		by[k.Kind] = k
		total += k.Bytes
	}
	if total != done.Total || len(done.Kinds) != 8 {
		t.Errorf("total %d of %+v", done.Total, done.Kinds)
	}
	return by
}

// runsLeft lists the runs in the journal, and those that have a log.
func runsLeft(t *testing.T, r *Runner) (runs, logs []string) {
	t.Helper()
	err := r.journal.view(func(tx *bbolt.Tx) error {
		results := map[string]int{}
		err := tx.Bucket(resultsBucket).ForEach(func(k, _ []byte) error {
			results[runID(k[:8])]++
			return nil
		})
		if err != nil {
			return err
		}
		err = tx.Bucket(runsBucket).ForEach(func(k, _ []byte) error {
			runs = append(runs, runID(k))
			_, err := getRun(tx, runID(k))
			return err
		})
		if len(results) != len(runs) {
			t.Errorf("results of %d runs, headers of %d", len(results), len(runs))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(r.opts.DataDir, "runs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		logs = append(logs, e.Name())
	}
	slices.SortFunc(logs, func(a, b string) int { return int(number(a)) - int(number(b)) })
	return runs, logs
}

// tree lists every file below the data directory with its size, but for the
// database, which has pages of its own.
func tree(t *testing.T, r *Runner) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	err := filepath.WalkDir(r.opts.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Base(path) == "mooring.db" {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			all[path] = info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func runNames(numbers ...int) (names []string) {
	for _, n := range numbers {
		names = append(names, fmt.Sprintf("r%d", n))
	}
	return names
}

func TestCollectHistory(t *testing.T) {
	t.Parallel()
	now := noon
	r := bare(t, func(o *Options) { o.Keep.Runs, o.Now = 100, func() time.Time { return now } })
	past(t, r, 700)
	// Old runs that something still names, and one that waits.
	err := r.journal.update(func(tx *bbolt.Tx) error {
		waits, err := getRun(tx, "r10")
		if err != nil {
			return err
		}
		waits.Units[0].Status = Held
		waits.Settle()
		steps := []error{
			putResult(tx, "r10", waits.Units[0]), putRun(tx, waits),
			putMemory(tx, &memory{Repository: "infra", ID: "a", Kind: KindWorkspace, Taken: &taken{Run: "r20", Status: Failed}}),
			putMemory(tx, &memory{Repository: "infra", ID: "b", Kind: KindWorkspace, Intent: &intent{Run: "r30"}}),
			putRepository(tx, "infra", repositoryMemory{HeldRun: "r40"}),
			putRepository(tx, "other", repositoryMemory{Broken: "r50"}),
			putVerdict(tx, verdict{Repository: "infra", Run: "r60", Unit: "c"}),
			locks.Acquire(tx, locks.Key{Repository: "x", Kind: "workspace", Dir: "c", Workspace: "default"}, locks.Holder{Unit: "c", Repository: "infra", Run: "r70"}),
		}
		for _, err := range steps {
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(r.opts.DataDir, "runs", "notes"), 0o700); err != nil { // not ours
		t.Fatal(err)
	}
	before := tree(t, r)
	dry := collect(t, r, true)
	if after := tree(t, r); !maps.Equal(before, after) {
		t.Error("a dry run changed the data directory")
	}
	if runs, _ := runsLeft(t, r); len(runs) != 700 {
		t.Errorf("%d runs after a dry run", len(runs))
	}
	// 699 ended; the newest hundred of them stay, and six that are named.
	if n := dry[FreedHistory].Removed; n != 699-100-6 {
		t.Errorf("a dry run says %d runs", n)
	}
	freed := collect(t, r, false)
	if diff := cmp.Diff(dry, freed); diff != "" {
		t.Errorf("(-dry run +freed):\n%s", diff)
	}
	named := runNames(10, 20, 30, 40, 50, 60, 70)
	want := slices.Clone(named)
	for i := 601; i <= 700; i++ {
		want = append(want, fmt.Sprintf("r%d", i))
	}
	runs, logs := runsLeft(t, r)
	if diff := cmp.Diff(want, runs); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(append([]string{"notes"}, want...), logs); diff != "" {
		t.Errorf("logs (-want +got):\n%s", diff)
	}
	if again := collect(t, r, false); again[FreedHistory].Removed != 0 || again[FreedLogs].Removed != 0 {
		t.Errorf("again: %+v", again)
	}
	// Ninety days later only those that are named are left, and new ones get new numbers.
	now = noon.Add(90*24*time.Hour + time.Minute)
	collect(t, r, false)
	if runs, _ := runsLeft(t, r); !slices.Equal(runs, named) {
		t.Errorf("after ninety days: %v", runs)
	}
	past(t, r, 1)
	if runs, _ := runsLeft(t, r); !slices.Contains(runs, "r701") {
		t.Errorf("a run after a collection: %v", runs)
	}
}

// A kill between the journal and the logs leaves logs that no run names: the next
// collection takes them.
func TestCollectionThatWasKilledIsFinished(t *testing.T) {
	t.Parallel()
	r := bare(t, func(o *Options) { o.Keep.Runs = 5 })
	past(t, r, 20)
	c := collection{r: r, ctx: t.Context(), now: noon, before: noon.Add(-r.opts.Keep.Age)}
	if freed, err := c.history(); err != nil || freed.Removed != 15 {
		t.Fatalf("%+v %v", freed, err)
	}
	if err := os.MkdirAll(filepath.Join(r.opts.DataDir, "trash", "17", "0"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Open(r.opts)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if freed := collect(t, r, false); freed[FreedHistory].Removed != 0 || freed[FreedLogs].Removed != 15 || freed[FreedLogs].Bytes < 15*4000 {
		t.Errorf("%+v", freed)
	}
	runs, logs := runsLeft(t, r)
	if want := runNames(16, 17, 18, 19, 20); !slices.Equal(runs, want) || !slices.Equal(logs, want) {
		t.Errorf("runs %v, logs %v", runs, logs)
	}
	if left, err := os.ReadDir(filepath.Join(r.opts.DataDir, "trash")); err != nil || len(left) != 0 {
		t.Errorf("trash: %v %v", left, err)
	}
}

func TestCollectionThatIsStoppedSaysWhatItDid(t *testing.T) {
	t.Parallel()
	r := bare(t, func(o *Options) { o.Keep.Runs = 5 })
	past(t, r, 20)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	done, err := r.Collect(ctx, CollectOptions{})
	if err == nil || len(done.Kinds) != 0 || done.Total != 0 {
		t.Errorf("%+v %v", done, err)
	}
	if runs, _ := runsLeft(t, r); len(runs) != 20 {
		t.Errorf("%d runs are left", len(runs))
	}
}

func TestLogsHaveAShareOfTheSize(t *testing.T) {
	t.Parallel()
	r := bare(t, func(o *Options) { o.Keep.Size = 1 })
	past(t, r, 10)
	one, err := terraform.Usage(filepath.Join(r.opts.DataDir, "runs", "r1"))
	if err != nil {
		t.Fatal(err)
	}
	err = r.journal.update(func(tx *bbolt.Tx) error {
		return putMemory(tx, &memory{Repository: "infra", ID: "a", Kind: KindWorkspace, Taken: &taken{Run: "r2", Status: Failed}})
	})
	if err != nil {
		t.Fatal(err)
	}
	writeLog(t, r, "r11") // of a run that no database of ours made: it may get its number just now
	r.opts.Keep.Size = uint64(5*one+1) * logShare
	if freed := collect(t, r, false); freed[FreedLogs].Removed != 6 || freed[FreedLogs].Bytes != 6*one || freed[FreedHistory].Removed != 0 {
		t.Errorf("%+v", freed)
	}
	runs, logs := runsLeft(t, r)
	if want := runNames(2, 8, 9, 10, 11); len(runs) != 10 || !slices.Equal(logs, want) {
		t.Errorf("runs %v, logs %v, want those of %v", runs, logs, want)
	}
	if _, err := r.Log("r1", "a"); err == nil {
		t.Error("a log that was collected is there")
	}
}

// Provider packages that nothing uses go when they are old, and earlier when
// everything together is too large: never for less.
func TestProvidersGoByAgeAndSize(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := bare(t, func(o *Options) { o.Now = func() time.Time { return now } })
	leaf := filepath.Join(r.opts.DataDir, "providers", "registry.terraform.io", "hashicorp", "null", "3.2.4", "linux_amd64")
	install := func() {
		t.Helper()
		dir := filepath.Join(leaf, strings.Repeat("0a", 32))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "terraform-provider-null"), make([]byte, 100_000), 0o500); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(what string, removed int) {
		t.Helper()
		if freed := collect(t, r, false)[FreedProviders]; freed.Removed != removed || (freed.Bytes >= 100_000) != (removed > 0) {
			t.Errorf("%s: %+v, want %d", what, freed, removed)
		}
	}
	install()
	expect("young and small", 0)
	total, err := r.usage()
	if err != nil {
		t.Fatal(err)
	}
	r.opts.Keep.Size = uint64(total)
	expect("as large as it may be", 0)
	r.opts.Keep.Size--
	expect("too large", 1)
	r.opts.Keep.Size = 10 << 30
	install()
	now = now.Add(91 * 24 * time.Hour)
	expect("old", 1)
}

// A plan file is named by no memory while its unit's run records it, and while it
// is applied: the unit's lock is what tells.
func TestPlanOfAUnitUnderWayIsNotCollected(t *testing.T) {
	t.Parallel()
	r := bare(t)
	u := &workspace.Unit{Kind: workspace.KindWorkspace, ID: "net", Dir: "infra/net", Workspace: "prod"}
	plans := filepath.Join(r.opts.DataDir, "plans")
	name := terraform.WarmName("infra", workspaceKey(u))
	files := []string{filepath.Join(plans, ".new-12"), filepath.Join(plans, name+"-12.tfplan.age"), filepath.Join(plans, terraform.WarmName("infra", "other")+"-12.tfplan")}
	for _, file := range files {
		if err := os.WriteFile(file, []byte("plan"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	view := filepath.Join(r.opts.DataDir, "views", name, "root")
	if err := os.MkdirAll(view, 0o700); err != nil {
		t.Fatal(err)
	}
	repo := &repository{host: "example.com", path: "infra"}
	key := r.lockKey(repo, u)
	err := r.journal.update(func(tx *bbolt.Tx) error {
		return locks.Acquire(tx, key, locks.Holder{Unit: u.ID, Repository: "infra", Run: "r1"})
	})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(what string, removed int, left ...string) {
		t.Helper()
		if freed := collect(t, r, false); freed[FreedPlans].Removed != removed {
			t.Errorf("%s: %+v", what, freed[FreedPlans])
		}
		if got, err := r.home.SavedPlans(); err != nil || !slices.Equal(got, left) {
			t.Errorf("%s: left %v, %v", what, got, err)
		}
	}
	expect("under way", 1, files[0], files[1])
	if _, err := os.Stat(view); err != nil {
		t.Errorf("the view of a unit under way: %v", err)
	}
	err = r.journal.update(func(tx *bbolt.Tx) error { return locks.Release(tx, key, "r1") })
	if err != nil {
		t.Fatal(err)
	}
	expect("ended", 2)
	if _, err := os.Stat(view); !os.IsNotExist(err) {
		t.Errorf("the view of a unit that nobody knows: %v", err)
	}
}

// What is remembered by a Mooring that did not write down the key keeps every
// directory that could be meant.
func TestMemoryWithoutKeyKeepsWhatItMayMean(t *testing.T) {
	t.Parallel()
	u := &inUse{known: map[string]bool{}, plans: map[string]bool{}, runs: map[string]bool{}, held: map[string]bool{}, commits: map[string]bool{}}
	long := strings.Repeat("deep/", 20) + "net"
	u.remember(&memory{Repository: "infra", ID: "net", Kind: KindWorkspace, Dir: "infra/net"})
	u.remember(&memory{Repository: "infra", ID: "long", Kind: KindWorkspace, Dir: long})
	u.remember(&memory{Repository: "infra", ID: "exact", Kind: KindWorkspace, Dir: "exact", Key: "exact:prod"})
	for key, want := range map[string]bool{
		"infra/net": true, "infra/net:prod": true, "infra/net key=x": true, long + ":prod": true, "exact:prod": true,
		"exact": false, "infra/db": false,
	} {
		if got := u.workspace(terraform.WarmName("infra", key)); got != want {
			t.Errorf("%s is in use: %v, want %v", key, got, want)
		}
	}
}
