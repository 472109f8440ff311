package terraform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func always(string) (bool, error) { return true, nil }

// collector collects everything that may be collected, over and over.
type collector struct {
	warm, packages atomic.Int64 // how many it removed
}

func (c *collector) loop(ctx context.Context, h *Home) error {
	for ctx.Err() == nil {
		warm, err := h.CollectWarm(ctx, always, false)
		if err != nil && ctx.Err() == nil {
			return err
		}
		c.warm.Add(int64(warm.Removed))
		future := time.Now().Add(time.Hour)
		packages, err := h.CollectProviders(ctx, time.Now(), future, 1<<40, false)
		if err != nil && !errors.Is(err, ErrInitRunning) && ctx.Err() == nil {
			return err
		}
		c.packages.Add(int64(packages.Removed))
	}
	return nil
}

// Twenty workspaces are initialised again and again while all that they leave is collected: none fails, and the provider of each is there
// as long as its session is open.
func TestInitsBesideACollectionThatTakesAll(t *testing.T) {
	t.Parallel()
	cli, _, _ := providerMirror(t, "3.2.3", "3.2.4")
	const many, rounds = 20, 3
	files := map[string]string{}
	for i := range many {
		files[fmt.Sprintf("w%02d/main.tf", i)] = usesNull
	}
	r := newRepoWith(t, Options{CLIConfig: cli, PathEnv: os.Getenv("PATH")}, files)
	ctx, stop := context.WithCancel(t.Context())
	var c collector
	ended := make(chan error, 1)
	go func() { ended <- c.loop(ctx, r.home) }()
	for round := range rounds {
		var all sync.WaitGroup
		turns := make(chan struct{}, 4) // so that there are moments without an init, and many of them
		for i := range many {
			all.Go(func() {
				turns <- struct{}{}
				defer func() { <-turns }()
				s, err := r.home.Open(t.Context(), r.spec(fmt.Sprintf("w%02d", i)))
				if err != nil {
					t.Errorf("round %d: %v", round, err)
					return
				}
				defer s.Close()
				var out bytes.Buffer
				if err := s.Init(t.Context(), &out); err != nil {
					t.Errorf("round %d: %v\n%s", round, err, &out)
					return
				}
				if _, err := os.Stat(r.providerOf(s)); err != nil {
					t.Errorf("round %d: the provider of an open session: %v", round, err)
				}
			})
		}
		all.Wait()
		waitUntil(t, func() bool { return c.packages.Load() > int64(round) }) // all are closed, so all can go
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d packages and %d working directories were collected meanwhile", c.packages.Load(), c.warm.Load())
	if c.warm.Load() < many {
		t.Errorf("only %d working directories were collected", c.warm.Load())
	}
	if left := r.entries(); len(left) != 0 {
		t.Errorf("packages that nothing leads to are left: %v", left)
	}
}

func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come in 30 s")
		}
	}
}

func TestCollectProviders(t *testing.T) {
	t.Parallel()
	cli, _, zh := providerMirror(t, "3.2.3", "3.2.4")
	pinned := strings.Replace(usesNull, `source = "hashicorp/null"`, `source = "hashicorp/null", version = "3.2.3"`, 1)
	r := newRepoWith(t, Options{CLIConfig: cli}, map[string]string{"old/main.tf": pinned, "new/main.tf": usesNull, "new/" + lockFileName: lockWith("3.2.4", zh)})
	r.ready(r.spec("old")).Close()
	s := r.ready(r.spec("new"))
	oldEntry, newEntry := r.entries()[0], r.entries()[1]
	if !strings.Contains(oldEntry, "3.2.3") || !strings.Contains(newEntry, "3.2.4") {
		t.Fatalf("entries %v", r.entries())
	}
	now := time.Now()
	month := now.Add(-30 * 24 * time.Hour)
	collect := func(what string, excess int64, dryRun bool, want int, left ...string) {
		t.Helper()
		freed, err := r.home.CollectProviders(t.Context(), now, month, excess, dryRun)
		if err != nil || freed.Removed != want || (freed.Bytes > 0) != (want > 0) {
			t.Errorf("%s: %+v %v, want %d", what, freed, err, want)
		}
		if got := r.entries(); !slices.Equal(got, left) {
			t.Errorf("%s: left %v", what, got)
		}
	}
	age := func(entry string) {
		t.Helper()
		if err := os.Chtimes(entry, month.Add(-time.Hour), month.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	age(oldEntry)
	age(newEntry)
	collect("in use", 1<<40, false, 0, oldEntry, newEntry)
	if info, err := os.Stat(oldEntry); err != nil || info.ModTime().Before(now.Add(-time.Minute)) {
		t.Errorf("a package in use is not marked as used now: %v %v", info.ModTime(), err)
	}
	// Other inputs: what the old ones made is beside, for when they come back.
	r.commit(map[string]string{"old/main.tf": usesNull, "new/main.tf": usesNull, "new/" + lockFileName: lockWith("3.2.4", zh)})
	again := r.spec("old")
	again.InitInputs = []byte("other")
	if err := os.Remove(filepath.Join(r.home.lockFiles, WarmName("infra", "old")+".hcl")); err != nil {
		t.Fatal(err)
	}
	r.ready(again).Close()
	age(oldEntry)
	collect("beside", 1<<40, false, 0, oldEntry, newEntry)
	if err := r.home.Forget("infra", "old"); err != nil {
		t.Fatal(err)
	}
	collect("unused, but not for long", 0, false, 0, oldEntry, newEntry)
	collect("too much, dry", 1, true, 1, oldEntry, newEntry)
	age(oldEntry)
	collect("old, dry", 0, true, 1, oldEntry, newEntry)
	collect("old", 0, false, 1, newEntry)
	if _, err := os.Stat(filepath.Dir(filepath.Dir(oldEntry))); !os.IsNotExist(err) {
		t.Errorf("the empty directories of a version are left: %v", err)
	}
	// A view from before there was a link to its .terraform is looked through.
	if err := os.Remove(filepath.Join(s.view.home, initLink)); err != nil {
		t.Fatal(err)
	}
	collect("found by looking", 1<<40, false, 0, newEntry)
	s.Close()
	if err := r.home.Forget("infra", "new"); err != nil {
		t.Fatal(err)
	}
	collect("too much", 1, false, 1)
	if left := findFiles(t, r.home.providers); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// While an init may be about to use a package, it stays, and what says so is an error.
func TestCollectProvidersWaitsForNoInit(t *testing.T) {
	t.Parallel()
	cli, _, _ := providerMirror(t, "3.2.4")
	r := newRepoWith(t, Options{CLIConfig: cli}, map[string]string{"a/main.tf": usesNull})
	r.ready(r.spec("a")).Close()
	if err := r.home.Forget("infra", "a"); err != nil {
		t.Fatal(err)
	}
	release, err := r.home.lockPackages(unix.LOCK_SH)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if freed, err := r.home.CollectProviders(ctx, time.Now(), time.Now().Add(time.Hour), 0, false); !errors.Is(err, context.DeadlineExceeded) || freed.Removed != 0 {
		t.Errorf("%+v %v", freed, err)
	}
	if left := r.entries(); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

func TestCollectWarm(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for _, dir := range []string{"known", "open", "gone", "errored", "unrecorded"} {
		files[dir+"/main.tf"] = "resource \"terraform_data\" \"x\" {}\n"
	}
	r := newRepo(t, files)
	for _, dir := range []string{"known", "gone", "errored", "unrecorded"} {
		r.converge(r.spec(dir))
	}
	open := r.ready(r.spec("open"))
	home := func(dir string) string { return filepath.Join(r.home.views, WarmName("infra", dir)) }
	unstored := filepath.Join(home("errored"), "root", "errored", erroredState)
	writeTree(t, filepath.Dir(unstored), map[string]string{erroredState: `{"version":4}`})
	writeTree(t, r.home.lockFiles, map[string]string{WarmName("infra", "gone") + ".hcl": "# kept"})

	asked := map[string]int{}
	unused := func(name string) (bool, error) {
		asked[name]++
		switch name {
		case WarmName("infra", "unrecorded"): // its first run ends between the two looks
			return asked[name] == 1, nil
		case WarmName("infra", "known"):
			return false, nil
		}
		return true, nil
	}
	before := findFiles(t, filepath.Dir(r.home.views))
	dry, err := r.home.CollectWarm(t.Context(), unused, true)
	if err != nil || dry.Removed != 1 {
		t.Errorf("dry run: %+v %v", dry, err)
	}
	if after := findFiles(t, filepath.Dir(r.home.views)); !slices.Equal(before, after) {
		t.Errorf("a dry run changed what is there: %v", after)
	}
	clear(asked)
	freed, err := r.home.CollectWarm(t.Context(), unused, false)
	if err != nil || freed != dry || freed.Bytes == 0 {
		t.Errorf("%+v %v, want %+v", freed, err, dry)
	}
	for _, path := range r.home.warmPaths(WarmName("infra", "gone")) {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
	for _, dir := range []string{"known", "open", "errored", "unrecorded"} {
		if _, err := os.Stat(home(dir)); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if got := read(t, unstored); got != `{"version":4}` {
		t.Errorf("unstored state: %q", got)
	}
	for _, dir := range []string{"known", "gone"} {
		if state := read(t, filepath.Join(r.home.StateDir("infra"), dir, "terraform.tfstate")); !strings.Contains(state, "terraform_data") {
			t.Errorf("state of %s: %q", dir, state)
		}
	}
	r.plan(open, PlanOptions{})
	if trash, err := os.ReadDir(r.home.trash); err != nil || len(trash) != 0 {
		t.Errorf("trash: %v %v", trash, err)
	}
	if plan := r.converge(r.spec("gone")); plan.Changes {
		t.Error("a workspace whose directories were collected does not find its state again")
	}
	if err := r.home.Forget("infra", "errored"); err == nil {
		t.Error("Forget removed a view with a state that is nowhere else")
	}
}

// Who opens a workspace while its directories go waits, and is not told that it is in use.
func TestOpenWaitsForACollection(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"a/main.tf": "resource \"terraform_data\" \"x\" {}\n"})
	r.converge(r.spec("a"))
	opened := make(chan error, 1)
	inside := 0
	freed, err := r.home.CollectWarm(t.Context(), func(name string) (bool, error) {
		if inside++; inside == 2 { // nobody can open it now
			go func() {
				err := r.home.enter(t.Context(), name)
				r.home.leave(name)
				opened <- err
			}()
			select {
			case err := <-opened:
				t.Errorf("it was opened: %v", err)
			case <-time.After(50 * time.Millisecond): // all that can be seen of one who waits
			}
		}
		return true, nil
	}, false)
	if err != nil || freed.Removed != 1 {
		t.Errorf("%+v %v", freed, err)
	}
	if err := <-opened; err != nil {
		t.Errorf("opened after it: %v", err)
	}
}

func TestEmptyTrash(t *testing.T) {
	t.Parallel()
	r := newRepo(t, nil)
	writeTree(t, r.home.trash, map[string]string{"17/0/root/a/main.tf": "x", "18/1.hcl": "y"})
	if err := r.home.EmptyTrash(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(r.home.trash); err != nil || len(left) != 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

func TestPlanOwner(t *testing.T) {
	t.Parallel()
	name := WarmName("infra", "infra/network:prod")
	for file, want := range map[string]string{
		name + "-3051.tfplan":     name,
		name + "-3051.tfplan.age": name,
		".new-3051":               "",
		"what":                    "",
	} {
		if got := PlanOwner(filepath.Join("/data/plans", file)); got != want {
			t.Errorf("owner of %s is %q, want %q", file, got, want)
		}
	}
	if got := ReadablePart(name); got != "infra-network-prod" {
		t.Errorf("readable part of %s is %q", name, got)
	}
}

func TestUsageCountsWhatRemovingFrees(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"a/one": strings.Repeat("x", 100_000), "a/link": "-> one"})
	alone, err := Usage(dir)
	if err != nil || alone < 100_000 {
		t.Errorf("%d %v", alone, err)
	}
	writeTree(t, dir, map[string]string{"shared": strings.Repeat("x", 100_000)})
	if err := os.Link(filepath.Join(dir, "shared"), filepath.Join(t.TempDir(), "other")); err != nil {
		t.Fatal(err)
	}
	if with, err := Usage(dir); err != nil || with >= alone+100_000 {
		t.Errorf("a file that has another name counts: %d after %d, %v", with, alone, err)
	}
	if none, err := Usage(filepath.Join(dir, "absent")); err != nil || none != 0 {
		t.Errorf("absent: %d %v", none, err)
	}
}
