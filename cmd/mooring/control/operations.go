package control

import (
	"context"
	"io"
	"time"

	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/runner"
	"github.com/mooring-iac/mooring/runner/drift"
)

// SocketName is the socket's file in the data directory.
const SocketName = "mooring.sock"

// Operations is what a person can ask of a data directory: the runner itself
// offers it to the command that has opened the database, a Client to every other.
type Operations interface {
	// Sync takes one pass over every repository, or over the named one. Runs are
	// returned even when err is not nil.
	Sync(ctx context.Context, repository string) ([]runner.Run, error)
	// Runs lists runs, the newest first.
	Runs(ctx context.Context, q Query) ([]runner.Run, error)
	// Run is one run, by its id or an unambiguous beginning of it.
	Run(ctx context.Context, id string) (runner.Run, error)
	// Log is what Terraform printed for a unit in a run. The caller closes it.
	Log(ctx context.Context, id, unit string) (io.ReadCloser, error)
	// Decide records a person's decision about held units.
	Decide(ctx context.Context, d Decision) (runner.Run, error)
	// Cancel ends what runs of a run, and discards what waits. It answers as soon as
	// that is asked for.
	Cancel(ctx context.Context, c Cancel) (runner.Run, error)
	// States lists the states that no backend took.
	States(ctx context.Context) ([]runner.KeptState, error)
	// PushState stores the kept states of a workspace and returns how many.
	PushState(ctx context.Context, t Target) (int, error)
	// UnlockState frees Terraform's own lock on a state, by its id.
	UnlockState(ctx context.Context, l StateLock) error
	// Locks lists who holds what.
	Locks(ctx context.Context) ([]locks.Lock, error)
	// Unlock breaks a lock and returns it.
	Unlock(ctx context.Context, t Target) (locks.Lock, error)
	// Forget drops the memory of an orphaned unit; nothing is destroyed.
	Forget(ctx context.Context, t Target) error
	// Destroy plans the destruction of an orphaned unit; the run is held.
	Destroy(ctx context.Context, t Target) (runner.Run, error)
	// Scan looks for drift now. Runs are returned even when err is not nil.
	Scan(ctx context.Context, s Scan) ([]runner.Run, error)
	// Drifts lists drifts, the oldest first.
	Drifts(ctx context.Context, q DriftQuery) ([]drift.Record, error)
	// Acknowledge records that a person knows of a drift.
	Acknowledge(ctx context.Context, a Acknowledgement) ([]drift.Record, error)
	// Collect removes what nothing needs any more. What was freed is returned even
	// when err is not nil.
	Collect(ctx context.Context, o runner.CollectOptions) (runner.Collected, error)
}

// Query selects runs. The zero value is every run of every repository.
type Query struct {
	Repository string `json:"repository,omitempty"`
	Limit      int    `json:"limit,omitempty"`   // 0 is all
	Waiting    bool   `json:"waiting,omitempty"` // only those that wait for a person
	Pull       int    `json:"pull,omitempty"`    // only those of this pull request; 0 is all
	Branch     string `json:"branch,omitempty"`  // only those of this branch of a pull request, or review branch
}

// Decision is a person's word about a run. The zero value approves nothing.
type Decision struct {
	Run     string   `json:"run"`
	Units   []string `json:"units,omitempty"` // empty is every held unit
	By      string   `json:"by"`
	Approve bool     `json:"approve"` // false discards
}

// Cancel names a run to end.
type Cancel struct {
	Run string `json:"run"`
	By  string `json:"by"`
}

// StateLock names a lock on the state of a unit.
type StateLock struct {
	Target
	ID string `json:"id"`
}

// Scan says what a drift scan looks at. The zero value is everything.
type Scan struct {
	Repository string   `json:"repository,omitempty"`
	Units      []string `json:"units,omitempty"`
}

// DriftQuery selects drifts. The zero value is every open one.
type DriftQuery struct {
	Repository string    `json:"repository,omitempty"`
	Unit       string    `json:"unit,omitempty"`
	Ended      bool      `json:"ended,omitempty"` // those that ended too
	Since      time.Time `json:"since,omitzero"`  // of those that ended: not before
}

// Acknowledgement is a person's word about a drift, or about all of a unit.
type Acknowledgement struct {
	Repository string    `json:"repository,omitempty"`
	Drift      string    `json:"drift"` // its id, or a unit's
	By         string    `json:"by"`
	Until      time.Time `json:"until"`
	Why        string    `json:"why,omitempty"`
}

// Target names a unit.
type Target struct {
	Repository string `json:"repository,omitempty"` // needed where ids repeat
	Unit       string `json:"unit"`
	By         string `json:"by"`
}
