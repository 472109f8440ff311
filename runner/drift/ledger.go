package drift

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// How a record ends where no run and no pull request of ours ended it.
const (
	Outside = "outside"  // nobody of us did anything
	byRule  = "ignored:" // a rule leaves it out since; its reason follows
)

// LeftOut is a finding that a rule of the repository left out of a scan as a whole.
type LeftOut struct {
	Address string
	Class   Class
	Reason  string
}

// what tells one drift of a unit from another.
type what struct {
	address string
	class   Class
}

// Take takes what is known of one unit and what a finished scan found together. A scan that failed is not taken: it
// found nothing because it did not look.
//
// known are the unit's open records. Ended ones among them are not changed and not returned: they only count for Healed
// of a drift that begins again. now is every open record, and those that this scan ended, in order of address and class;
// a new one has no ID. events are what people are to be told, in the same order; a record with an event has s.At as Told,
// except where it ended.
//
// Where a scan was Partial, what it did not find goes on as it was.
//
// An undeployed finding is no drift. An open record of its address is left as it is: whether the drift still stands
// cannot be seen before the commit is applied, so to call it resolved could be wrong.
func Take(known []Record, found []Finding, s Scan) (now []Record, events []Event) {
	open := map[what]Record{}
	var ended []Record
	for _, r := range known {
		if r.Ended != nil {
			ended = append(ended, r)
			continue
		}
		open[what{r.Address, r.Class}] = r
	}
	seen, hidden := map[what]bool{}, map[string]bool{}
	for _, f := range found {
		if f.Class == Undeployed {
			hidden[f.Address] = true
			continue
		}
		at := what{f.Address, f.Class}
		if seen[at] {
			continue
		}
		seen[at] = true
		r, ok := open[at]
		var news News
		if ok {
			r, news = goesOn(r, f, s)
		} else {
			r, news = begins(f, s), New
			r.Healed = Recurrences(ended, f.Address, f.Class, time.Time{})
		}
		if news != "" {
			told := s.At
			r.Told = &told
			events = append(events, Event{news, r})
		}
		now = append(now, r)
	}
	for at, r := range open {
		switch {
		case seen[at]:
		case hidden[at.address], s.Partial:
			now = append(now, r)
		default:
			r = ends(r, s)
			now, events = append(now, r), append(events, Event{Resolved, r})
		}
	}
	slices.SortFunc(now, inOrder)
	slices.SortFunc(events, func(a, b Event) int { return inOrder(a.Record, b.Record) })
	return now, events
}

// Recurrences counts how often an apply or a pull request of ours ended this drift at or after since. The breaker opens
// on it: what comes back after it was healed is fought over by somebody, and healing it again helps nobody.
func Recurrences(ended []Record, address string, class Class, since time.Time) int {
	n := 0
	for _, r := range ended {
		if r.Address == address && r.Class == class && r.Healing() && !r.Ended.Before(since) {
			n++
		}
	}
	return n
}

// Healing is whether a run or a pull request of ours ended the drift.
func (r Record) Healing() bool {
	return r.Ended != nil && r.EndedBy != "" && r.EndedBy != Outside && !strings.HasPrefix(r.EndedBy, byRule)
}

// Acknowledged is whether somebody said that they know of the drift as it is, and the time they asked for is not over.
func (r Record) Acknowledged(now time.Time) bool {
	return r.Ack != nil && r.Ack.Fingerprint == r.Fingerprint && now.Before(r.Ack.Until)
}

func begins(f Finding, s Scan) Record {
	return Record{Repository: s.Repository, Unit: s.Unit, Finding: f, Began: s.At, Seen: s.At, Run: s.Run}
}

// goesOn is the record of a drift that was found again, and what is new about it: "" where nothing is.
func goesOn(r Record, f Finding, s Scan) (Record, News) {
	altered := r.Fingerprint != f.Fingerprint
	r.Finding, r.Seen, r.Run = f, s.At, s.Run
	if altered {
		at := s.At
		r.Changed, r.Ack = &at, nil
		return r, Altered
	}
	if r.Acknowledged(s.At) {
		return r, ""
	}
	if r.Ack != nil {
		// The time that was asked for is over. The word goes with it, or every scan from here on would remind.
		r.Ack = nil
		return r, Reminder
	}
	told := r.Began
	if r.Told != nil {
		told = *r.Told
	}
	if s.Remind > 0 && s.At.Sub(told) >= s.Remind {
		return r, Reminder
	}
	return r, ""
}

func ends(r Record, s Scan) Record {
	at := s.At
	r.Ended, r.EndedBy, r.Run = &at, Outside, s.Run
	if s.HealedBy != "" {
		r.EndedBy = s.HealedBy
	}
	for _, i := range s.LeftOut {
		if i.Address == r.Address && i.Class == r.Class {
			// A rule is why it is not found; that something was converged as well does not make it gone.
			r.EndedBy = byRule + " " + i.Reason
			break
		}
	}
	return r
}

func inOrder(a, b Record) int {
	return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Class, b.Class))
}
