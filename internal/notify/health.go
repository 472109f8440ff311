package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/outbox"
)

// deadAfter is how long a channel may fail before others are told.
const deadAfter = 15 * time.Minute

// sickness is a channel that fails, from its first failure on.
type sickness struct {
	Since time.Time `json:"since"`
	Error string    `json:"error"`
	Dead  bool      `json:"dead"`
}

// Health says how each channel fares, in the order of the configuration.
func (n *Notifier) Health() ([]ChannelHealth, error) {
	waiting := map[string]int{}
	err := n.o.Store.View(func(tx *bbolt.Tx) error {
		all, err := outbox.List(tx)
		for _, it := range all {
			waiting[it.Queue]++
		}
		for name := range n.lines {
			held, _ := kept(tx, name) // what cannot be read is said by who sends it
			waiting[queues+name] += len(held)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("health of the channels: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	all := []ChannelHealth{}
	for _, c := range n.o.Config.Channels {
		s := n.sick[c.Name]
		all = append(all, ChannelHealth{Name: c.Name, Kind: n.lines[c.Name].service, Waiting: waiting[queues+c.Name], Dead: s.Dead, Since: s.Since, Error: s.Error})
	}
	return all, nil
}

// remember reads what was wrong when the process ended.
func (n *Notifier) remember(tx *bbolt.Tx) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name := range n.lines {
		b := written(tx, healthNote, name)
		if b == nil {
			continue
		}
		if v := b.Get(healthNote); v != nil {
			var s sickness
			if err := json.Unmarshal(v, &s); err != nil {
				return fmt.Errorf("read the health of %s: %w", name, err)
			}
			n.sick[name] = s
		}
	}
	return nil
}

// failed notes a try that failed. The first of a row is written down, and so is the
// one with which the channel is dead, together with the message about it.
func (n *Notifier) failed(l *line, cause error, lost bool) error {
	l.health.Lock()
	defer l.health.Unlock()
	now := n.o.Now()
	n.mu.Lock()
	s, sick := n.sick[l.Name]
	if !sick {
		s.Since = now
	}
	s.Error = cause.Error()
	dies := !s.Dead && (lost || now.Sub(s.Since) >= deadAfter)
	s.Dead = s.Dead || dies
	n.mu.Unlock()
	if !sick || dies {
		if err := n.o.Store.Update(func(tx *bbolt.Tx) error { return n.writeSick(tx, l, s, dies) }); err != nil {
			return fmt.Errorf("note that %s fails: %w", l.Name, err)
		}
	}
	n.mu.Lock()
	n.sick[l.Name] = s
	n.mu.Unlock()
	return nil
}

func (n *Notifier) writeSick(tx *bbolt.Tx, l *line, s sickness, dies bool) error {
	b, err := notes(tx, healthNote, l.Name)
	if err != nil {
		return err
	}
	v, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := b.Put(healthNote, v); err != nil || !dies {
		return err
	}
	m := n.about(l, s, "firing")
	m.Title = fmt.Sprintf("Channel %s is dead", l.Name)
	m.Lines = []string{fmt.Sprintf("It has failed since %s: %s", s.Since.UTC().Format(time.RFC3339), s.Error), "What was to be told by it waits: mooring notify test " + l.Name}
	return n.put(tx, m, n.others(m, l))
}

// well notes that a channel has taken a letter.
func (n *Notifier) well(l *line) error {
	l.health.Lock()
	defer l.health.Unlock()
	n.mu.Lock()
	s, sick := n.sick[l.Name]
	n.mu.Unlock()
	if !sick {
		return nil
	}
	err := n.o.Store.Update(func(tx *bbolt.Tx) error {
		b, err := notes(tx, healthNote, l.Name)
		if err != nil {
			return err
		}
		if err := b.Delete(healthNote); err != nil || !s.Dead {
			return err
		}
		m := n.about(l, s, "resolved")
		m.Title = fmt.Sprintf("Channel %s is well again", l.Name)
		m.Lines = []string{fmt.Sprintf("It had failed since %s.", s.Since.UTC().Format(time.RFC3339))}
		return n.put(tx, m, n.others(m, l))
	})
	if err != nil {
		return fmt.Errorf("note that %s is well: %w", l.Name, err)
	}
	n.mu.Lock()
	delete(n.sick, l.Name)
	n.mu.Unlock()
	return nil
}

func (n *Notifier) about(l *line, s sickness, state string) Message {
	group := "channel/" + l.Name
	return Message{
		Key: fmt.Sprintf("%s/%s/%s", group, s.Since.UTC().Format(time.RFC3339Nano), state), Group: group,
		Event: Operator, State: state, Severity: Critical, At: n.o.Now(),
	}
}

// others are who is told of a dead channel: those whose routes want it, else all but
// the channel itself.
func (n *Notifier) others(m Message, dead *line) []string {
	isDead := func(name string) bool { return name == dead.Name }
	if wanted := slices.DeleteFunc(n.o.Config.matching(m), isDead); len(wanted) > 0 {
		return wanted
	}
	var all []string
	for _, c := range n.o.Config.Channels {
		if !isDead(c.Name) {
			all = append(all, c.Name)
		}
	}
	return all
}
