package runner

import "time"

// Event is one step of a run as it happens, for people who watch. Nothing is
// decided from events, and a lost one harms nothing.
type Event struct {
	Time       time.Time `json:"time"`
	Repository string    `json:"repository"`
	Run        string    `json:"run,omitempty"`
	Unit       string    `json:"unit,omitempty"`
	Phase      Phase     `json:"phase"`
	Status     Status    `json:"status,omitempty"` // with PhaseDone and PhaseEnd
	Text       string    `json:"text,omitempty"`   // one line for a person; of PhaseOutput, a line of Terraform's
	Add        int       `json:"add,omitempty"`
	Change     int       `json:"change,omitempty"`
	Destroy    int       `json:"destroy,omitempty"`
	Units      int       `json:"units,omitempty"` // with PhaseBegin: how many units the run has
}

// Phase names a step.
type Phase string

// The phases, in the order in which a run meets them.
const (
	PhasePoll    Phase = "poll"    // Text says what is wrong with the remote, or that it is back
	PhaseBegin   Phase = "begin"   // a run starts; Text is its commit and subject
	PhaseInit    Phase = "init"    // of a unit
	PhasePlan    Phase = "plan"    // of a unit
	PhaseApply   Phase = "apply"   // of a unit
	PhaseWait    Phase = "wait"    // of a manifest set: waits for health; Text names what for
	PhasePrune   Phase = "prune"   // of a manifest set
	PhaseOutput  Phase = "output"  // a line of Terraform's own output
	PhaseDone    Phase = "done"    // a unit ended
	PhaseEnd     Phase = "end"     // a run ended
	PhaseWarning Phase = "warning" // a note a person should read now
)
