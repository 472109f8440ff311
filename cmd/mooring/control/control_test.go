package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/runner"
	"github.com/mooring-iac/mooring/runner/drift"
)

var errNoRun = errors.New("no such run")

var sentinels = Sentinels{"no_run": errNoRun}

// fake is an Operations made of functions; one that is not set must not be called.
type fake struct {
	sync    func(context.Context, string) ([]runner.Run, error)
	runs    func(Query) ([]runner.Run, error)
	run     func(string) (runner.Run, error)
	log     func(string, string) (io.ReadCloser, error)
	decide  func(Decision) (runner.Run, error)
	locks   func() ([]locks.Lock, error)
	unlock  func(Target) (locks.Lock, error)
	forget  func(Target) error
	destroy func(Target) (runner.Run, error)
	collect func(runner.CollectOptions) (runner.Collected, error)
	cancel  func(Cancel) (runner.Run, error)
	states  func() ([]runner.KeptState, error)
	push    func(Target) (int, error)
	free    func(StateLock) error
	scan    func(Scan) ([]runner.Run, error)
	drifts  func(DriftQuery) ([]drift.Record, error)
	ack     func(Acknowledgement) ([]drift.Record, error)
}

func (f *fake) Scan(_ context.Context, s Scan) ([]runner.Run, error) { return f.scan(s) }
func (f *fake) Drifts(_ context.Context, q DriftQuery) ([]drift.Record, error) {
	return f.drifts(q)
}
func (f *fake) Acknowledge(_ context.Context, a Acknowledgement) ([]drift.Record, error) {
	return f.ack(a)
}

func (f *fake) Cancel(_ context.Context, c Cancel) (runner.Run, error) { return f.cancel(c) }
func (f *fake) States(context.Context) ([]runner.KeptState, error)     { return f.states() }
func (f *fake) PushState(_ context.Context, t Target) (int, error)     { return f.push(t) }
func (f *fake) UnlockState(_ context.Context, l StateLock) error       { return f.free(l) }

func (f *fake) Sync(ctx context.Context, r string) ([]runner.Run, error)      { return f.sync(ctx, r) }
func (f *fake) Runs(_ context.Context, q Query) ([]runner.Run, error)         { return f.runs(q) }
func (f *fake) Run(_ context.Context, id string) (runner.Run, error)          { return f.run(id) }
func (f *fake) Log(_ context.Context, id, unit string) (io.ReadCloser, error) { return f.log(id, unit) }
func (f *fake) Decide(_ context.Context, d Decision) (runner.Run, error)      { return f.decide(d) }
func (f *fake) Locks(context.Context) ([]locks.Lock, error)                   { return f.locks() }
func (f *fake) Unlock(_ context.Context, t Target) (locks.Lock, error)        { return f.unlock(t) }
func (f *fake) Forget(_ context.Context, t Target) error                      { return f.forget(t) }
func (f *fake) Destroy(_ context.Context, t Target) (runner.Run, error)       { return f.destroy(t) }
func (f *fake) Collect(_ context.Context, o runner.CollectOptions) (runner.Collected, error) {
	return f.collect(o)
}

// start serves the operations on a data directory until the test ends; stop
// ends the work, then the server.
func start(t *testing.T, dir string, ops Operations) (hub *Hub, stop func()) {
	t.Helper()
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	hub = &Hub{}
	s := &Server{Operations: ops, Hub: hub, Sentinels: sentinels, Version: "1.2.3"}
	ctx, cancel := context.WithCancel(context.Background())
	work, cancelWork := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, work, l) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancelWork()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
	t.Cleanup(stop)
	return hub, stop
}

func connect(t *testing.T, dir string, observe func(runner.Event)) *Client {
	t.Helper()
	c, err := Dial(dir, sentinels, observe)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryOperationGoesThere(t *testing.T) {
	run := runner.Run{ID: "r1", Repository: "infra", Status: runner.Held, Units: []runner.UnitResult{{ID: "a", Status: runner.Held}}}
	lock := locks.Lock{Holder: locks.Holder{Unit: "a", Repository: "infra", Run: "r1", Reason: "apply", Since: time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)}}
	freed := runner.Collected{Kinds: []runner.Freed{{Kind: runner.FreedLogs, Removed: 3, Bytes: 4096}}, Total: 4096}
	kept := runner.KeptState{Repository: "infra", Unit: "a", Kept: lock.Since, File: "x"}
	// A number that no float holds is the same at the other end.
	drifted := []drift.Record{{ID: "d1", Repository: "infra", Unit: "a", Began: lock.Since, Finding: drift.Finding{Address: "x.y", Fields: []drift.Field{{Path: "size", New: json.Number("9007199254740993")}}}}}
	var got []string
	note := func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) }
	ops := &fake{
		sync: func(_ context.Context, r string) ([]runner.Run, error) {
			note("sync %s", r)
			return []runner.Run{run}, nil
		},
		runs: func(q Query) ([]runner.Run, error) { note("runs %+v", q); return []runner.Run{run}, nil },
		run:  func(id string) (runner.Run, error) { note("run %s", id); return run, nil },
		log: func(id, u string) (io.ReadCloser, error) {
			note("log %s %s", id, u)
			return io.NopCloser(strings.NewReader("Terraform\n")), nil
		},
		decide:  func(d Decision) (runner.Run, error) { note("decide %+v", d); return run, nil },
		locks:   func() ([]locks.Lock, error) { note("locks"); return []locks.Lock{lock}, nil },
		unlock:  func(x Target) (locks.Lock, error) { note("unlock %+v", x); return lock, nil },
		forget:  func(x Target) error { note("forget %+v", x); return nil },
		destroy: func(x Target) (runner.Run, error) { note("destroy %+v", x); return run, nil },
		collect: func(o runner.CollectOptions) (runner.Collected, error) { note("collect %+v", o); return freed, nil },
		cancel:  func(c Cancel) (runner.Run, error) { note("cancel %+v", c); return run, nil },
		states:  func() ([]runner.KeptState, error) { note("states"); return []runner.KeptState{kept}, nil },
		push:    func(x Target) (int, error) { note("push %+v", x); return 2, nil },
		free:    func(l StateLock) error { note("free %+v", l); return nil },
		scan:    func(s Scan) ([]runner.Run, error) { note("scan %+v", s); return []runner.Run{run}, nil },
		drifts: func(q DriftQuery) ([]drift.Record, error) {
			note("drifts %s %s %t", q.Repository, q.Unit, q.Ended)
			return drifted, nil
		},
		ack: func(a Acknowledgement) ([]drift.Record, error) {
			note("ack %s %s %s", a.Drift, a.By, a.Until.Format(time.DateOnly))
			return drifted, nil
		},
	}
	dir := t.TempDir()
	start(t, dir, ops)
	c := connect(t, dir, nil)
	ctx := context.Background()
	x := Target{Repository: "infra", Unit: "a&b=c", By: "anna"}
	same := func(what string, got, want any, err error) {
		t.Helper()
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
		}
	}
	runs, err := c.Sync(ctx, "infra")
	same("sync", runs, []runner.Run{run}, err)
	runs, err = c.Runs(ctx, Query{Repository: "infra", Limit: 3, Waiting: true, Pull: 12, Branch: "review/a&b"})
	same("runs", runs, []runner.Run{run}, err)
	one, err := c.Run(ctx, "r1")
	same("run", one, run, err)
	text, err := c.Log(ctx, "r1", "a&b=c")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(text)
	same("log", string(b), "Terraform\n", err)
	one, err = c.Decide(ctx, Decision{Run: "r1", Units: []string{"a"}, By: "anna", Approve: true})
	same("decide", one, run, err)
	all, err := c.Locks(ctx)
	same("locks", all, []locks.Lock{lock}, err)
	l, err := c.Unlock(ctx, x)
	same("unlock", l, lock, err)
	same("forget", nil, nil, c.Forget(ctx, x))
	one, err = c.Destroy(ctx, x)
	same("destroy", one, run, err)
	collected, err := c.Collect(ctx, runner.CollectOptions{DryRun: true})
	same("collect", collected, freed, err)
	one, err = c.Cancel(ctx, Cancel{Run: "r1", By: "anna"})
	same("cancel", one, run, err)
	states, err := c.States(ctx)
	same("states", states, []runner.KeptState{kept}, err)
	pushed, err := c.PushState(ctx, x)
	same("push", pushed, 2, err)
	same("free", nil, nil, c.UnlockState(ctx, StateLock{Target: x, ID: "id"}))
	runs, err = c.Scan(ctx, Scan{Repository: "infra", Units: []string{"a", "b"}})
	same("scan", runs, []runner.Run{run}, err)
	records, err := c.Drifts(ctx, DriftQuery{Repository: "infra", Unit: "a", Ended: true})
	same("drifts", records, drifted, err)
	records, err = c.Acknowledge(ctx, Acknowledgement{Drift: "d1", By: "anna", Until: lock.Since})
	same("acknowledge", records, drifted, err)
	want := []string{
		"sync infra", "runs {Repository:infra Limit:3 Waiting:true Pull:12 Branch:review/a&b}", "run r1", "log r1 a&b=c", "decide {Run:r1 Units:[a] By:anna Approve:true}", "locks",
		"unlock {Repository:infra Unit:a&b=c By:anna}", "forget {Repository:infra Unit:a&b=c By:anna}", "destroy {Repository:infra Unit:a&b=c By:anna}",
		"collect {DryRun:true}",
		"cancel {Run:r1 By:anna}", "states", "push {Repository:infra Unit:a&b=c By:anna}", "free {Target:{Repository:infra Unit:a&b=c By:anna} ID:id}",
		"scan {Repository:infra Units:[a b]}", "drifts infra a true", "ack d1 anna 2026-03-14",
	}
	same("what the server was asked", got, want, nil)
	if v := c.ServerVersion(); v != "1.2.3" {
		t.Errorf("server version %q", v)
	}
}

func TestErrorsKeepTheirMeaning(t *testing.T) {
	failed := runner.Run{ID: "r1", Status: runner.Failed}
	dir := t.TempDir()
	start(t, dir, &fake{
		run: func(id string) (runner.Run, error) { return runner.Run{}, fmt.Errorf("show %s: %w", id, errNoRun) },
		log: func(id, _ string) (io.ReadCloser, error) { return nil, fmt.Errorf("log of %s: %w", id, errNoRun) },
		sync: func(context.Context, string) ([]runner.Run, error) {
			return []runner.Run{failed}, errors.New("repository infra: unreachable")
		},
	})
	c := connect(t, dir, nil)
	if _, err := c.Run(context.Background(), "x"); !errors.Is(err, errNoRun) || err.Error() != "show x: no such run" {
		t.Errorf("run: %v", err)
	}
	if _, err := c.Log(context.Background(), "x", "u"); !errors.Is(err, errNoRun) {
		t.Errorf("log: %v", err)
	}
	runs, err := c.Sync(context.Background(), "")
	if err == nil || err.Error() != "repository infra: unreachable" || errors.Is(err, errNoRun) || len(runs) != 1 {
		t.Errorf("sync: %v with %d runs; both are wanted", err, len(runs))
	}
}

func TestSyncStreamsEventsOfItsRepository(t *testing.T) {
	dir := t.TempDir()
	var hub *Hub
	ops := &fake{sync: func(context.Context, string) ([]runner.Run, error) {
		for i := range 3 {
			hub.Publish(runner.Event{Repository: "infra", Unit: fmt.Sprint(i), Phase: runner.PhasePlan})
			hub.Publish(runner.Event{Repository: "other", Unit: "no", Phase: runner.PhasePlan})
		}
		return nil, nil
	}}
	hub, _ = start(t, dir, ops)
	var seen []string
	if _, err := connect(t, dir, func(e runner.Event) { seen = append(seen, e.Unit) }).Sync(context.Background(), "infra"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"0", "1", "2"}, seen); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestWorkOutlivesItsClientAndEndsWithTheServer(t *testing.T) {
	dir := t.TempDir()
	began, left, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	ops := &fake{
		sync: func(ctx context.Context, _ string) ([]runner.Run, error) {
			close(began)
			<-left
			ended <- ctx.Err() // the client has gone; the work has not been told to
			<-ctx.Done()       // only the server's end is told
			return nil, ctx.Err()
		},
		locks: func() ([]locks.Lock, error) { return nil, nil },
	}
	_, stop := start(t, dir, ops)
	ctx, cancel := context.WithCancel(context.Background())
	answered := make(chan error, 1)
	go func() { _, err := connect(t, dir, nil).Sync(ctx, ""); answered <- err }()
	<-began
	cancel()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Errorf("the client's sync ended with %v", err)
	}
	if _, err := connect(t, dir, nil).Locks(context.Background()); err != nil { // a round trip later
		t.Errorf("another client: %v", err)
	}
	close(left)
	if err := <-ended; err != nil {
		t.Errorf("the work was told to end with its client: %v", err)
	}
	stop() // hangs if the work is not told
}

func TestNoServer(t *testing.T) {
	dir := t.TempDir()
	if _, err := Dial(dir, sentinels, nil); !errors.Is(err, ErrNoServer) {
		t.Errorf("without a socket: %v", err)
	}
	if _, err := Dial(filepath.Join(dir, strings.Repeat("x", 120)), sentinels, nil); !errors.Is(err, ErrNoServer) {
		t.Errorf("without a directory: %v", err)
	}
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, SocketName), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(dir, sentinels, nil); !errors.Is(err, ErrNoServer) {
		t.Errorf("with a dead server's socket: %v", err)
	}
	_, stop := start(t, dir, &fake{})
	connect(t, dir, nil)
	stop()
	if _, err := os.Lstat(filepath.Join(dir, SocketName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket stays behind: %v", err)
	}
}

func TestSocketIsPrivateAndRefusesToReplaceAFile(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, &fake{})
	if info, err := os.Stat(filepath.Join(dir, SocketName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, SocketName), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(other); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("Listen over a file: %v", err)
	}
}

func TestDeepDataDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep-", 20), strings.Repeat("deeper-", 10))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, stop := start(t, dir, &fake{locks: func() ([]locks.Lock, error) { return nil, nil }})
	if _, err := connect(t, dir, nil).Locks(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := Listen(dir + "/none"); err == nil {
		t.Error("a directory that is not there can be listened in")
	}
	stop()
	if _, err := os.Lstat(filepath.Join(dir, SocketName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket stays behind: %v", err)
	}
}

func TestUnknownRequestNamesTheVersions(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, &fake{})
	_, err := ask[any](context.Background(), connect(t, dir, nil), http.MethodGet, "newer", nil, nil)
	if err == nil || !strings.Contains(err.Error(), "Mooring 1.2.3") {
		t.Errorf("an unknown request: %v", err)
	}
}

func TestBrokenRequests(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, &fake{})
	c := connect(t, dir, nil)
	for name, body := range map[string]string{"no JSON": "{", "too large": `{"unit":"` + strings.Repeat("x", maxRequest) + `"}`} {
		req, err := http.NewRequest(http.MethodPost, "http://mooring/v1/sync", bytes.NewBufferString(body))
		if err != nil {
			t.Fatal(err)
		}
		token, err := readToken(dir)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(tokenHeader, token)
		resp, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := last[any](c, resp); resp.StatusCode != http.StatusBadRequest || err == nil {
			t.Errorf("%s: status %d, %v", name, resp.StatusCode, err)
		}
	}
}

func TestHubNeverWaits(t *testing.T) {
	var h Hub
	h.Publish(runner.Event{}) // nobody watches
	events, stop := h.Watch()
	for range 2 * hubBuffer {
		h.Publish(runner.Event{})
	}
	stop()
	h.Publish(runner.Event{})
	if len(events) != hubBuffer {
		t.Errorf("%d events are kept for a watcher that does not look, want %d", len(events), hubBuffer)
	}
}

// A confined Terraform can reach the socket where only rules on files confine it. It
// cannot read the token, and without it nothing is answered or done.
func TestWithoutTheTokenNothingIsDone(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, &fake{}) // a call would panic
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return dial(dir) }}}
	for _, token := range []string{"", "wrong"} {
		for _, path := range []string{"runs", "locks", "decide", "nothing"} {
			req, err := http.NewRequest(http.MethodPost, "http://mooring/v1/"+path, strings.NewReader(`{"run":"r1","approve":true}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(tokenHeader, token)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden || strings.Contains(string(body), "r1") {
				t.Errorf("%s with token %q: %s %s", path, token, resp.Status, body)
			}
		}
	}
	if info, err := os.Stat(filepath.Join(dir, tokenName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token file: %v, %v", info, err)
	}
}
