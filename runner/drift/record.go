package drift

import "time"

// Record is one drift from its beginning to its end: what the journal keeps, and `mooring drift history` prints.
type Record struct {
	ID         string `json:"id"` // d7
	Repository string `json:"repository"`
	Unit       string `json:"unit"`
	Finding           // as it was seen last

	Began   time.Time  `json:"began"`             // when it was seen first
	Changed *time.Time `json:"changed,omitempty"` // when it became what it is
	Seen    time.Time  `json:"seen"`              // when it was seen last
	Ended   *time.Time `json:"ended,omitempty"`
	EndedBy string     `json:"ended_by,omitempty"` // run r12, #4, ignored: the reason; "outside" where nobody of us did it
	Run     string     `json:"run"`                // the scan that saw it last

	Ack  *Ack       `json:"ack,omitempty"`
	Told *time.Time `json:"told,omitempty"` // when people were told of it last
	// Healed counts how often an apply of ours ended the same drift before.
	Healed int `json:"healed,omitempty"`
}

// Ack is a person's word that a drift is known. It holds for one fingerprint.
type Ack struct {
	By          string    `json:"by"`
	At          time.Time `json:"at"`
	Until       time.Time `json:"until"`
	Why         string    `json:"why,omitempty"`
	Fingerprint string    `json:"fingerprint"`
}

// Scan is one look at one unit.
type Scan struct {
	Repository string
	Unit       string
	Run        string
	At         time.Time
	// HealedBy is the run, or the pull request, that converged the unit since the last scan; "" where none did.
	HealedBy string
	// Remind is after how long people are told again of a drift that goes on; 0 is never.
	Remind time.Duration
	// Partial says that not everything could be looked at: what is not found goes on.
	Partial bool
	// LeftOut is what rules left out of the findings, so that a drift which ends by a rule says so.
	LeftOut []LeftOut
}

// News is what is to be told of one record.
type News string

// The news.
const (
	New      News = "new"
	Altered  News = "changed"
	Resolved News = "resolved"
	Reminder News = "reminder"
)

// Event is one record and what is new about it.
type Event struct {
	News   News   `json:"news"`
	Record Record `json:"record"`
}
