package runner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mooring-iac/mooring/runner/drift"
)

// watched is a fixture whose clock the test moves, with people who listen.
type watched struct {
	*fixture
	now    *atomic.Pointer[time.Time]
	people *ears
}

func newWatched(t *testing.T, files map[string]string, change ...func(*Options)) *watched {
	t.Helper()
	w := &watched{now: &atomic.Pointer[time.Time]{}, people: &ears{}}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w.now.Store(&noon)
	w.fixture = newFixture(t, files, append([]func(*Options){func(o *Options) {
		o.Now = func() time.Time { return *w.now.Load() }
	}}, change...)...)
	w.r.notify = w.people
	return w
}

func (w *watched) later(d time.Duration) {
	then := w.now.Load().Add(d)
	w.now.Store(&then)
}

// poll notes how the remote answered, as the loop does.
func (w *watched) poll(err error) { w.r.repos[0].note(w.r.opts.Now(), err) }

func (w *watched) look() {
	w.t.Helper()
	if err := w.r.lookAtItself(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// restart is another Mooring that knows only what is on disk.
func (w *watched) restart() {
	w.t.Helper()
	w.reopen()
	w.r.notify = w.people
}

var errAway = errors.New("the remote is away")

func TestARepositoryThatCannotBePolledIsToldOnceAndSoIsItsEnd(t *testing.T) {
	w := newWatched(t, map[string]string{"a/main.tf": "# nothing\n"})
	w.poll(nil)
	w.later(time.Minute)
	w.poll(errAway)
	w.look()
	if got := w.people.states(); got != "" {
		t.Fatalf("told of a minute's trouble: %s", got)
	}
	w.later(10 * time.Minute)
	for range 3 {
		w.look()
	}
	w.restart()
	w.look() // this one has not asked the remote yet
	w.poll(errAway)
	w.look()
	w.later(10 * time.Minute)
	w.look()
	if got := w.people.states(); got != "operator firing" {
		t.Fatalf("told %q across a restart", got)
	}
	w.poll(nil)
	w.look()
	w.restart()
	w.poll(nil)
	w.look()
	if got := w.people.states(); got != "operator firing, operator resolved" {
		t.Errorf("told %q", got)
	}
	first := w.people.heard[0]
	if first.Repository != "infra" || !strings.Contains(first.Title, "cannot be polled") || !slices.Contains(first.Lines, errAway.Error()) {
		t.Errorf("%+v", first)
	}
}

func TestWhyARepositoryCannotBeReachedIsSaidWithoutItsToken(t *testing.T) {
	w := newWatched(t, map[string]string{"a/main.tf": "# nothing\n"}, func(o *Options) { o.Repositories[0].Token = "canary-token" })
	if err := w.r.Ready(); err == nil || !strings.Contains(err.Error(), "infra has not been polled yet") {
		t.Errorf("ready before the first poll: %v", err)
	}
	w.poll(nil)
	if err := w.r.Ready(); err != nil {
		t.Error(err)
	}
	w.poll(fmt.Errorf("%w: it refuses canary-token", errAway))
	w.later(10 * time.Minute)
	err := w.r.Ready()
	if !errors.Is(err, errAway) || !strings.Contains(err.Error(), "infra was last reached 2026-03-01T12:00:00Z") || strings.Contains(err.Error(), "canary") {
		t.Errorf("ready: %v", err)
	}
	w.look()
	if got := w.people.states(); got != "operator firing" || strings.Contains(strings.Join(w.people.heard[0].Lines, ""), "canary") {
		t.Errorf("told %s: %+v", got, w.people.heard)
	}
	if err := w.r.Healthy(); err != nil {
		t.Errorf("a remote that is away is no reason to start anew: %v", err)
	}
}

func TestScansThatAreLateAreToldAndCounted(t *testing.T) {
	w := newWatched(t, map[string]string{"a/main.tf": module(`"one"`), "b/main.tf": module(`"two"`)}, func(o *Options) {
		o.Repositories[0].Drift = DriftConfig{Every: time.Hour}
		o.Drift.Stale = 24 * time.Hour
	})
	w.expect("a applied, b applied")
	w.people.heard = nil // of the apply
	w.scan("a unchanged, b unchanged")
	w.later(20 * time.Hour)
	w.look()
	if got := w.people.states(); got != "" {
		t.Fatalf("told before it is late: %s", got)
	}
	w.later(10 * time.Hour)
	w.look()
	w.restart()
	w.look()
	if got := w.people.states(); got != "operator firing" || !strings.Contains(w.people.heard[0].Title, "2 units not scanned") {
		t.Fatalf("told %q: %+v", got, w.people.heard)
	}
	if got := w.metrics(t)[`mooring_drift_scan_late{repository="infra"}`]; got != 2 {
		t.Errorf("%v units are late", got)
	}
	w.scan("a unchanged, b unchanged")
	w.look()
	if got := w.people.states(); got != "operator firing, operator resolved" {
		t.Errorf("told %q", got)
	}
	if got := w.metrics(t)[`mooring_drift_scan_late{repository="infra"}`]; got != 0 {
		t.Errorf("%v units are late after a scan", got)
	}
}

func TestAHeartbeatSaysThatMooringWorksAndStopsWhenItDoesNot(t *testing.T) {
	var beats atomic.Int64
	answer := atomic.Int64{}
	answer.Store(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/canary" || !strings.HasPrefix(r.UserAgent(), "mooring/") {
			t.Errorf("%s %s by %s", r.Method, r.URL, r.UserAgent())
		}
		beats.Add(1)
		w.WriteHeader(int(answer.Load()))
	}))
	defer server.Close()
	w := newWatched(t, map[string]string{"a/main.tf": "# nothing\n"}, func(o *Options) { o.Heartbeat.URL = server.URL + "/canary" })
	beat := func(want int64, says string) {
		t.Helper()
		err := w.r.beat(t.Context())
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("beat: %v, want %q", err, says)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the address is said: %v", err)
		}
		if got := beats.Load(); got != want {
			t.Errorf("%d beats, want %d", got, want)
		}
	}
	beat(1, "")
	const last = "mooring_heartbeat_last_timestamp_seconds"
	at := float64(w.now.Load().Unix())
	if got := w.metrics(t)[last]; got != at {
		t.Errorf("%s is %v, want %v", last, got, at)
	}

	repo := w.r.repos[0]
	repo.turned.Store(w.now.Load().UnixNano())
	w.r.scanTurn.Store(w.now.Load().UnixNano())
	w.later(time.Hour)
	beat(1, "stands still")
	if err := w.r.Healthy(); err == nil || !strings.Contains(err.Error(), "repository infra stands still") {
		t.Errorf("healthy while the loop stands still: %v", err)
	}
	repo.pass.Lock() // a pass that takes an hour is work
	w.r.scanTurn.Store(w.now.Load().UnixNano())
	beat(2, "")
	repo.pass.Unlock()
	repo.turned.Store(w.now.Load().UnixNano())
	w.later(11 * time.Minute)
	beat(2, "schedule of drift scans stands still")
	w.r.scanTurn.Store(w.now.Load().UnixNano())
	answer.Store(http.StatusNotFound)
	beat(3, "heartbeat_url answers 404")
	server.Close()
	beat(3, "heartbeat_url does not answer")
	if got := w.metrics(t)[last]; got != at+3600 {
		t.Errorf("%s is %v: one that nobody took counts", last, got)
	}
}

func TestNoHeartbeatWithoutADatabase(t *testing.T) {
	var beats atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { beats.Add(1) }))
	defer server.Close()
	w := newWatched(t, map[string]string{"a/main.tf": "# nothing\n"}, func(o *Options) { o.Heartbeat.URL = server.URL })
	if err := w.r.journal.db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.r.beat(t.Context()); err == nil || beats.Load() != 0 {
		t.Errorf("%d beats, %v", beats.Load(), err)
	}
}

func TestTheWatchBeatsAtItsPace(t *testing.T) {
	arrived := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{} }))
	defer server.Close()
	w := newWatched(t, map[string]string{"a/main.tf": "# nothing\n"}, func(o *Options) { o.Heartbeat.URL = server.URL })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.r.watchItself(ctx)
	}()
	<-arrived // at once, for a server that has just started works
	stop()
	<-ended
}

func TestDriftIsCountedForPrometheus(t *testing.T) {
	w := newWatched(t, map[string]string{"a/main.tf": module(`"one"`), "b/main.tf": module(`"two"`)})
	w.expect("a applied, b applied")
	w.scan("a unchanged, b unchanged")
	w.editState("a", "one", "other")
	w.scan("a planned, b unchanged")
	w.later(90 * time.Second)
	all := w.metrics(t)
	open, err := w.r.Drifts(DriftQuery{})
	if err != nil || len(open) != 1 {
		t.Fatalf("%v, %v", open, err)
	}
	drifts := `mooring_drifts{class="` + string(drift.OutOfBand) + `",repository="infra",severity="` + string(open[0].Severity) + `"}`
	for name, want := range map[string]float64{
		drifts: 1,
		`mooring_drift_oldest_seconds{repository="infra"}`:       90,
		`mooring_drift_scans_total{result="clean"}`:              3,
		`mooring_drift_scans_total{result="drift"}`:              1,
		`mooring_drift_scans_total{result="failed"}`:             0,
		`mooring_drift_scans_total{result="skipped"}`:            0,
		`mooring_drift_scan_late{repository="infra"}`:            0,
		`mooring_units_total{kind="workspace",status="applied"}`: 2,
	} {
		if got, ok := all[name]; !ok || got != want {
			t.Errorf("%s is %v (%v), want %v", name, got, ok, want)
		}
	}
	if _, ok := all["mooring_heartbeat_last_timestamp_seconds"]; ok {
		t.Error("a heartbeat is counted that nobody asked for")
	}
	w.editState("a", "other", "one")
	w.scan("a unchanged, b unchanged")
	all = w.metrics(t)
	if _, ok := all[drifts]; ok || all[`mooring_drift_oldest_seconds{repository="infra"}`] != 0 {
		t.Errorf("a drift that ended is counted: %v", all)
	}
}

// metrics are the values that Prometheus would read, by name and labels.
func (f *fixture) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	for _, c := range f.r.Collectors() {
		if err := reg.Register(c); err != nil {
			t.Fatal(err)
		}
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetName()+`="`+l.GetValue()+`"`)
			}
			name := family.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			switch {
			case m.Gauge != nil:
				all[name] = m.Gauge.GetValue()
			case m.Counter != nil:
				all[name] = m.Counter.GetValue()
			}
		}
	}
	return all
}
