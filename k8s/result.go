package k8s

import "sync"

// ObjectAction is what happened to one object, or would.
type ObjectAction string

// What happens to objects.
const (
	Created    ObjectAction = "created"
	Configured ObjectAction = "configured" // it was there and has changed
	Recreated  ObjectAction = "recreated"  // deleted and made again
	Unchanged  ObjectAction = "unchanged"
	Pruned     ObjectAction = "pruned"  // no longer in the set; its deletion was seen
	Skipped    ObjectAction = "skipped" // left alone for the reason in Message
	Failed     ObjectAction = "failed"
)

// Health is an object's condition by kstatus' rules.
type Health string

// Conditions of an object.
const (
	HealthCurrent     Health = "Current"
	HealthInProgress  Health = "InProgress"
	HealthFailed      Health = "Failed"
	HealthTerminating Health = "Terminating"
	HealthNotFound    Health = "NotFound"
	HealthUnknown     Health = "Unknown"
)

// ObjectResult is what happened to one object.
type ObjectResult struct {
	Ref     string       `json:"ref"`
	Action  ObjectAction `json:"action"`
	Health  Health       `json:"health,omitempty"`
	Message string       `json:"message,omitempty"` // why it was skipped, what its health waits for
	Error   string       `json:"error,omitempty"`
	File    string       `json:"file,omitempty"` // empty for objects that left the set
	Line    int          `json:"line,omitempty"`
	Diff    *Diff        `json:"diff,omitempty"` // from Plan: what would change; nil where nothing would, and for pruned objects
}

// Result is what a call did, also when it returns an error: object nine fails, and the result shows eight
// applied, one failed and the rest untouched. Objects are in the order of the plan, Inventory is what the set
// holds now.
type Result struct {
	Objects    []ObjectResult `json:"objects"`
	Inventory  Inventory      `json:"inventory"`
	Created    int            `json:"created"`
	Configured int            `json:"configured"`
	Recreated  int            `json:"recreated,omitempty"`
	Unchanged  int            `json:"unchanged"`
	Pruned     int            `json:"pruned"`
	Skipped    int            `json:"skipped"`
	Failed     int            `json:"failed"`
	Held       []ID           `json:"-"` // what would be pruned once a person has said so
}

// Changes is the number of objects that were created, configured, recreated or pruned, or would be.
func (r *Result) Changes() int { return r.Created + r.Configured + r.Recreated + r.Pruned }

// count sums the objects up.
func (r *Result) count() {
	r.Created, r.Configured, r.Recreated, r.Unchanged, r.Pruned, r.Skipped, r.Failed = 0, 0, 0, 0, 0, 0, 0
	for _, o := range r.Objects {
		switch o.Action {
		case Created:
			r.Created++
		case Configured:
			r.Configured++
		case Recreated:
			r.Recreated++
		case Unchanged:
			r.Unchanged++
		case Pruned:
			r.Pruned++
		case Skipped:
			r.Skipped++
		case Failed:
			r.Failed++
		}
	}
}

// Event is one step of a call, as it happens.
type Event struct {
	Kind    EventKind
	Ref     string
	Action  ObjectAction // for EventObject
	Health  Health       // for EventHealth
	Message string
}

// EventKind tells events apart.
type EventKind string

// Kinds of events.
const (
	EventObject EventKind = "object" // an object was applied, pruned, skipped or failed
	EventHealth EventKind = "health" // an object's health has changed
)

// ApplyOptions are the callbacks of Plan, Apply and Delete. Each may be nil, and is called by one goroutine at a time.
type ApplyOptions struct {
	// Save stores the inventory. It is called before the first write, with everything the set holds or is
	// about to hold, and again at the end with what it does hold; neither time when that is what the caller
	// has stored already. An error before the first write ends the call with nothing written.
	Save   func(Inventory) error
	Events func(Event)
	// Elsewhere names another set that wants an object now, or "". It is asked about objects that leave the set, and about
	// desired ones that carry another set's label: what another set wants is not pruned, and two sets cannot hold the same.
	// nil: no other set wants anything.
	Elsewhere func(ID) (string, error)
	// Source is the digest of what was rendered (Source.Digest); it goes into the inventory when all of it is applied and healthy.
	Source string
	// Ours tells that what carries the set's label was made by it: for a look from where its inventory is not known.
	Ours bool
}

// sink calls Events one at a time.
type sink struct {
	mu sync.Mutex // serialises calls
	to func(Event)
}

func (s *sink) send(e Event) {
	if s.to == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to(e)
}
