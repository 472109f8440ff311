package notify

import "time"

// Event is what a message is about. Routes match it.
type Event string

// The events.
const (
	Drift    Event = "drift"    // new, changed, resolved or still there
	Failed   Event = "failed"   // a unit of a run failed, or was interrupted
	Held     Event = "held"     // a unit waits for a person
	Applied  Event = "applied"  // a run changed something
	Operator Event = "operator" // Mooring itself is not well: a repository that cannot be polled or scanned, a dead channel
	Test     Event = "test"     // `mooring notify test`
)

// Severity orders messages. The zero value is the least.
type Severity int

// The severities.
const (
	Info Severity = iota
	Warning
	Critical
)

// Message is one thing to tell. It holds no value that is secret.
type Message struct {
	// Key names what is told: the same key is told once to each channel, so what begins anew needs a new one.
	// drift/infra/app/<record>/<fingerprint>/new
	Key   string `json:"key"`
	Event Event  `json:"event"`
	State string `json:"state"` // of drift: new, changed, resolved, reminder; of operator: firing, resolved; else ""
	// Severity of what has ended is that of what began, so that the same people are told.
	Severity   Severity  `json:"severity"`
	Repository string    `json:"repository,omitempty"`
	Unit       string    `json:"unit,omitempty"` // "" is the repository as a whole
	Run        string    `json:"run,omitempty"`
	Title      string    `json:"title"`           // one line
	Lines      []string  `json:"lines,omitempty"` // the details, one line each, plain text
	URL        string    `json:"url,omitempty"`   // a page with more
	At         time.Time `json:"at"`
	// Group is equal for messages that belong together: Alertmanager resolves by it, chats thread by it.
	Group string `json:"group"`
}

// Events are all that routes may name, in the order of this file.
func Events() []Event { return []Event{Drift, Failed, Held, Applied, Operator} }

// String is the word that configuration and receivers use.
func (s Severity) String() string {
	switch {
	case s >= Critical:
		return "critical"
	case s == Warning:
		return "warning"
	}
	return "info"
}

// ParseSeverity is the reverse of String; false for any other word.
func ParseSeverity(word string) (Severity, bool) {
	for s := Info; s <= Critical; s++ {
		if s.String() == word {
			return s, true
		}
	}
	return Info, false
}
