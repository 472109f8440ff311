package runner

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/policies"
)

// Real workspaces: what waits, what is known and what is gone.
func TestCollectAfterRealRuns(t *testing.T) {
	f := newFixture(t, map[string]string{
		"kept/main.tf": module(`"1"`), "waits/main.tf": replacing(`"1"`), "gone/main.tf": module(`"3"`), "more/main.tf": module(`"4"`),
		"mooring.hcl": "discover = false\nworkspace \"kept\" { dir = \"kept\" }\nworkspace \"waits\" { dir = \"waits\" }\nworkspace \"gone\" { dir = \"gone\" }\nworkspace \"more\" { dir = \"more\" }\n",
	}, func(o *Options) { o.Repositories[0].AutoApply = policies.NoDestroy })
	f.sync()
	f.git.Write("replaced", map[string]string{
		"waits/main.tf": replacing(`"2"`),
		"mooring.hcl":   "discover = false\nworkspace \"kept\" { dir = \"kept\" }\nworkspace \"waits\" { dir = \"waits\" }\nworkspace \"more\" { dir = \"more\" }\n",
	})
	run := f.expect("waits held")[0]
	name := func(dir string) string { return terraform.WarmName("infra", dir) }
	if used, err := f.r.inUse(); err != nil || !used.known[name("kept")] || !used.known[name("gone")] || len(used.alike) > 0 {
		t.Errorf("known: %+v %v", used, err)
	}
	if freed := collect(t, f.r, false); freed[FreedWarm].Removed != 0 || freed[FreedPlans].Removed != 0 || freed[FreedCheckouts].Removed != 0 || freed[FreedMirrors].Removed != 0 {
		t.Errorf("everything is in use, an orphan too: %+v", freed)
	}
	if err := f.r.Forget("infra", "gone", "ada"); err != nil {
		t.Fatal(err)
	}
	state := f.stateFile("gone")
	if dry := collect(t, f.r, true); dry[FreedWarm].Removed != 1 {
		t.Errorf("dry run: %+v", dry)
	}
	if freed := collect(t, f.r, false); freed[FreedWarm].Removed != 1 || freed[FreedWarm].Bytes == 0 {
		t.Errorf("%+v", freed)
	}
	for dir, want := range map[string]bool{"kept": true, "waits": true, "more": true, "gone": false} {
		if _, err := os.Stat(filepath.Join(f.opts.DataDir, "views", name(dir))); (err == nil) != want {
			t.Errorf("view of %s is there: %v, want %v", dir, err == nil, want)
		}
	}
	if _, err := os.Stat(state); err != nil {
		t.Errorf("the state of what was let go of: %v", err)
	}
	f.reopen()
	f.approve(run.ID)
	f.expect("waits applied")
	if freed := collect(t, f.r, false); freed[FreedPlans].Removed != 0 {
		t.Errorf("a plan that was applied was left behind: %+v", freed)
	}
	f.expect("")
}

// A repository that the configuration no longer names keeps its mirror for a while.
func TestMirrorOfAnUnnamedRepositoryGoesWhenItIsOld(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	f := newFixture(t, map[string]string{"a/main.tf": module(`"1"`)}, func(o *Options) {
		o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	f.sync()
	old := f.r.repos[0].mirror.Dir()
	if freed := collect(t, f.r, false); freed[FreedMirrors].Removed != 0 {
		t.Errorf("named: %+v", freed)
	}
	if err := f.r.Close(); err != nil {
		t.Fatal(err)
	}
	f.opts.Repositories = nil
	f.open()
	if freed := collect(t, f.r, false); freed[FreedMirrors].Removed != 0 {
		t.Errorf("not named since just now: %+v", freed)
	}
	mu.Lock()
	now = now.Add(91 * 24 * time.Hour)
	mu.Unlock()
	if freed := collect(t, f.r, true); freed[FreedMirrors].Removed != 1 || freed[FreedMirrors].Bytes == 0 {
		t.Errorf("dry run: %+v", freed)
	}
	if _, err := os.Stat(old); err != nil {
		t.Errorf("a dry run: %v", err)
	}
	if freed := collect(t, f.r, false); freed[FreedMirrors].Removed != 1 {
		t.Errorf("old: %+v", freed)
	}
	if left, err := os.ReadDir(filepath.Join(f.opts.DataDir, "mirrors")); err != nil || len(left) != 0 {
		t.Errorf("left: %v %v", left, err)
	}
	// What its units were is still known: nothing was destroyed, nothing forgotten.
	if _, err := os.Stat(f.stateFile("a")); err != nil {
		t.Error(err)
	}
}

// Runs go on while all that may go is collected over and over, with the smallest
// bounds there are.
func TestRunsBesideACollectionThatTakesAll(t *testing.T) {
	files := map[string]string{}
	for i := range 4 {
		files[fmt.Sprintf("u%d/main.tf", i)] = replacing(`"0"`)
	}
	f := newFixture(t, files, func(o *Options) { o.Keep = KeepOptions{Runs: 1, Age: time.Nanosecond, Size: 1} })
	past(t, f.r, 50)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if _, err := f.r.Collect(ctx, CollectOptions{}); err != nil && ctx.Err() == nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	f.expect("u0 applied, u1 applied, u2 applied, u3 applied")
	for round := 1; round <= 3; round++ {
		value := replacing(fmt.Sprintf("%q", fmt.Sprint(round)))
		f.git.Write("again", map[string]string{"u0/main.tf": value, "u1/main.tf": value})
		run := f.expect("u0 held, u1 held")[0]
		f.approve(run.ID)
		for _, u := range f.expect("u0 applied, u1 applied")[0].Units {
			if strings.Contains(strings.Join(u.Notes, " ")+u.Reason, "the saved plan is gone") {
				t.Errorf("%s lost its plan", u.ID)
			}
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	f.expect("")
	if runs, _ := runsLeft(t, f.r); !slices.Equal(runs, runNames(51, 52, 53, 54)) {
		t.Errorf("runs left: %v; those of this hour stay, whatever the bounds", runs)
	}
}

// syncBuffer is a log that a test reads while a server writes it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestServerCollectsAtItsStart(t *testing.T) {
	var log syncBuffer
	f := newFixture(t, map[string]string{"a/main.tf": module(`"1"`)}, func(o *Options) {
		o.Now, o.Log = func() time.Time { return noon }, slog.New(slog.NewTextHandler(&log, nil))
		o.Keep.Runs = 5
	})
	past(t, f.r, 20)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- f.r.Serve(ctx) }()
	for end := time.Now().Add(30 * time.Second); !strings.Contains(log.String(), "collected what is old"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("nothing was collected:\n%s", log.String())
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "history=15 logs=15") {
		t.Errorf("log:\n%s", log.String())
	}
}
