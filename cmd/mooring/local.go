package main

import (
	"context"
	"io"

	"github.com/mooring-iac/mooring/cmd/mooring/control"
	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/runner"
	"github.com/mooring-iac/mooring/runner/drift"
)

// local offers a runner of this process as the operations that a server offers
// over its socket.
type local struct{ r *runner.Runner }

var _ control.Operations = local{}

// sentinels are the errors that keep their meaning over the socket.
var sentinels = control.Sentinels{
	"no_run":        runner.ErrNoRun,
	"no_log":        runner.ErrNoLog,
	"nothing_waits": runner.ErrNothingWaits,
	"nothing_runs":  runner.ErrNothingRuns,
	"no_state":      runner.ErrNoState,
	"no_workspace":  runner.ErrNoWorkspace,
	"ambiguous":     runner.ErrAmbiguous,
	"not_orphaned":  runner.ErrNotOrphaned,
	"not_held":      locks.ErrNotHeld,
	"no_unit":       runner.ErrNoUnit,
	"nothing_taken": runner.ErrNothingTaken,
	"no_drift":      runner.ErrNoDrift,
}

func (l local) Sync(ctx context.Context, repository string) ([]runner.Run, error) {
	return l.r.Sync(ctx, runner.SyncOptions{Repository: repository})
}

func (l local) Runs(_ context.Context, q control.Query) ([]runner.Run, error) {
	return l.r.Runs(runner.RunsQuery{Repository: q.Repository, Limit: q.Limit, Waiting: q.Waiting, Pull: q.Pull, Branch: q.Branch})
}

func (l local) Run(_ context.Context, id string) (runner.Run, error) { return l.r.Show(id) }

func (l local) Log(_ context.Context, id, unit string) (io.ReadCloser, error) {
	return l.r.Log(id, unit)
}

func (l local) Decide(ctx context.Context, d control.Decision) (runner.Run, error) {
	decision := runner.Decision{Run: d.Run, Units: d.Units, By: d.By}
	if d.Approve {
		return l.r.Approve(ctx, decision)
	}
	return l.r.Discard(ctx, decision)
}

func (l local) Cancel(ctx context.Context, c control.Cancel) (runner.Run, error) {
	return l.r.Cancel(ctx, c.Run, c.By)
}

func (l local) States(context.Context) ([]runner.KeptState, error) { return l.r.KeptStates() }

func (l local) PushState(ctx context.Context, t control.Target) (int, error) {
	return l.r.PushState(ctx, t.Repository, t.Unit, t.By)
}

func (l local) UnlockState(ctx context.Context, s control.StateLock) error {
	return l.r.BreakStateLock(ctx, s.Repository, s.Unit, s.ID, s.By)
}

func (l local) Locks(context.Context) ([]locks.Lock, error) { return l.r.Locks() }

func (l local) Unlock(_ context.Context, t control.Target) (locks.Lock, error) {
	return l.r.Unlock(t.Repository, t.Unit, t.By)
}

func (l local) Forget(_ context.Context, t control.Target) error {
	return l.r.Forget(t.Repository, t.Unit, t.By)
}

func (l local) Destroy(ctx context.Context, t control.Target) (runner.Run, error) {
	return l.r.Destroy(ctx, t.Repository, t.Unit, t.By)
}

func (l local) Scan(ctx context.Context, s control.Scan) ([]runner.Run, error) {
	return l.r.Scan(ctx, runner.ScanOptions(s))
}

func (l local) Drifts(_ context.Context, q control.DriftQuery) ([]drift.Record, error) {
	return l.r.Drifts(runner.DriftQuery(q))
}

func (l local) Acknowledge(_ context.Context, a control.Acknowledgement) ([]drift.Record, error) {
	return l.r.Acknowledge(runner.Acknowledgement(a))
}

func (l local) Collect(ctx context.Context, o runner.CollectOptions) (runner.Collected, error) {
	return l.r.Collect(ctx, o)
}
