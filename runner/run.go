package runner

import (
	"cmp"
	"time"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/runner/drift"
)

// Status is where a run or a unit stands. The words are a contract: they are
// printed as JSON and never renamed.
type Status string

// A run's status is one of these; a unit's too, but for cancelled.
const (
	Queued      Status = "queued"
	Running     Status = "running"
	Interrupted Status = "interrupted" // an apply whose end nobody saw: never retried by itself
	Failed      Status = "failed"
	Held        Status = "held"    // waits for a person
	Planned     Status = "planned" // a plan that nobody will apply: apply = "never", or a preview
	Applied     Status = "applied"
	Unchanged   Status = "unchanged"
	Discarded   Status = "discarded"
	Superseded  Status = "superseded" // a newer commit took its place
	Cancelled   Status = "cancelled"

	Skipped  Status = "skipped"  // a unit only: an upstream failed
	Deferred Status = "deferred" // a unit only: an upstream is held, or its outputs are not known yet
)

// Trigger is why a run was made.
type Trigger string

// The triggers.
const (
	OnCommit      Trigger = "commit"
	OnPullRequest Trigger = "pull_request"
	OnDrift       Trigger = "drift"
	Manual        Trigger = "manual" // a person asked: sync, destroy
)

// Kind says what a unit is.
type Kind string

// The kinds of unit.
const (
	KindWorkspace Kind = "workspace"
	KindManifests Kind = "manifests"
)

// Run is one commit taken through its units: what `mooring runs` and `mooring
// show` print. The JSON names are a contract.
type Run struct {
	ID         string  `json:"id"`
	Repository string  `json:"repository"`
	Commit     string  `json:"commit"`
	Subject    string  `json:"subject,omitempty"` // first line of the commit's message
	Author     string  `json:"author,omitempty"`
	Trigger    Trigger `json:"trigger"`

	PullRequest int    `json:"pull_request,omitempty"` // that it plans or applies
	Branch      string `json:"branch,omitempty"`       // of the head of a pull request, or a review branch
	Base        string `json:"base,omitempty"`         // the commit that the head was merged with for it
	Tree        string `json:"tree,omitempty"`         // what that merge gives: the files that the run takes
	Review      bool   `json:"review,omitempty"`       // plans for people to look at: nothing of it is applied, and the branch is as it was

	Status    Status       `json:"status"`
	Held      string       `json:"held,omitempty"` // why the run as a whole waits for a person
	Error     string       `json:"error,omitempty"`
	Cancelled string       `json:"cancelled,omitempty"` // by whom
	Started   time.Time    `json:"started"`
	Finished  *time.Time   `json:"finished,omitempty"` // nil while running; held runs are finished until decided
	Seconds   float64      `json:"seconds"`
	Notes     []string     `json:"notes,omitempty"` // what a person should know: moves, orphans, force pushes, warnings
	Units     []UnitResult `json:"units"`
}

// UnitResult is what happened to one unit in a run. Which fields are there
// depends on its kind.
type UnitResult struct {
	ID      string     `json:"id"`
	Kind    Kind       `json:"kind"`
	Status  Status     `json:"status"`
	Error   string     `json:"error,omitempty"`  // Terraform's or the cluster's own words
	Reason  string     `json:"reason,omitempty"` // why it is held, deferred or skipped
	Started *time.Time `json:"started,omitempty"`
	Seconds float64    `json:"seconds"`
	Notes   []string   `json:"notes,omitempty"`

	Policy *PolicyResult  `json:"policy,omitempty"` // nil where no rule was asked
	Drift  []drift.Record `json:"drift,omitempty"`  // of a scan: all that is open of the unit

	// A workspace.
	Add     int              `json:"add"`
	Change  int              `json:"change"`
	Destroy int              `json:"destroy"`
	Outputs []string         `json:"outputs,omitempty"`
	Removal bool             `json:"removal,omitempty"` // the branch no longer has it: the plan destroys what it made
	Changes []ResourceChange `json:"changes,omitempty"`

	// A manifest set.
	Created    int            `json:"created"`
	Configured int            `json:"configured"`
	Recreated  int            `json:"recreated,omitempty"`
	Same       int            `json:"unchanged"`
	Pruned     int            `json:"pruned"`
	Objects    []ObjectResult `json:"objects,omitempty"`
}

// ResourceChange is one line of a plan: an address and what would happen to it.
type ResourceChange struct {
	Address string `json:"address"`
	Action  string `json:"action"` // create, update, delete, replace, import, forget, read
}

// ObjectResult is what happened to one Kubernetes object.
type ObjectResult struct {
	Ref     string    `json:"ref"`    // apps/v1 Deployment web/api
	Action  string    `json:"action"` // created, configured, unchanged, pruned, failed, …
	Health  string    `json:"health,omitempty"`
	Message string    `json:"message,omitempty"`
	Diff    *k8s.Diff `json:"diff,omitempty"` // of a preview: what would change; no value that is secret
}

// files is the commit whose files the run takes.
func (r *Run) files() string { return cmp.Or(r.Tree, r.Commit) }

// reading is what the units of the run are read from.
func (r *Run) reading() reading { return reading{r.files(), r.Base} }

// Unit returns the result of the unit with the id, or nil.
func (r *Run) Unit(id string) *UnitResult {
	for i := range r.Units {
		if r.Units[i].ID == id {
			return &r.Units[i]
		}
	}
	return nil
}

// statusOrder is the contract's: a run's status is the first of these that any
// of its units has; a queued unit makes a run queued only where nothing ran.
var statusOrder = []Status{Running, Interrupted, Failed, Held, Planned, Applied}

// Settle sets the run's status from its units.
func (r *Run) Settle() {
	has := map[Status]int{}
	for _, u := range r.Units {
		has[u.Status]++
	}
	if r.Held != "" {
		r.Status = Held
		return
	}
	if r.Error != "" {
		has[Failed]++
	}
	if r.Cancelled != "" && has[Running] == 0 && has[Interrupted] == 0 {
		r.Status = Cancelled
		return
	}
	for _, s := range statusOrder {
		if has[s] > 0 {
			r.Status = s
			return
		}
	}
	n := len(r.Units)
	switch {
	case n > 0 && has[Queued] == n:
		r.Status = Queued
	case n > 0 && has[Queued] > 0:
		r.Status = Running
	case has[Superseded] > 0:
		r.Status = Superseded
	case has[Discarded] > 0:
		r.Status = Discarded
	default:
		r.Status = Unchanged
	}
}

// Waits reports whether a person has to decide something in the run.
func (r *Run) Waits() bool {
	if r.Held != "" {
		return true
	}
	for _, u := range r.Units {
		if u.Status == Held || u.Status == Interrupted {
			return true
		}
	}
	return false
}
