package notify

import (
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/outbox"
)

// Options are what a Notifier is made of.
type Options struct {
	Config  Config
	Store   outbox.Store
	Version string // of Mooring, for user agents

	Now   func() time.Time                     // nil is time.Now
	After func(time.Duration) <-chan time.Time // nil is time.After
	// Observe is told of each try; nil is nobody. The error holds no secret.
	Observe func(channel string, err error)
}

// Notifier puts messages into the outbox and delivers what waits there.
type Notifier struct {
	o     Options
	lines map[string]*line

	mu   sync.Mutex
	sick map[string]sickness // channels that fail now; guarded by mu
}

// toldFor is how long a key is known as told: longer than any reminder.
const toldFor = 180 * 24 * time.Hour

// New checks the configuration. Nothing is sent before Run.
func New(o Options) (*Notifier, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.After == nil {
		o.After = time.After
	}
	n := &Notifier{o: o, lines: map[string]*line{}, sick: map[string]sickness{}}
	for _, c := range o.Config.Channels {
		l, err := newLine(c, o.Version)
		if err != nil {
			return nil, err
		}
		if n.lines[c.Name] != nil {
			return nil, fmt.Errorf("two channels have the name %s", c.Name)
		}
		n.lines[c.Name] = l
		switch s := l.sender.(type) {
		case *alertmanager:
			s.now, s.firing = o.Now, fires{o.Store, c.Name}
		case *webhook:
			s.now = o.Now
		}
	}
	for _, r := range o.Config.Routes {
		for _, name := range r.Channels {
			if n.lines[name] == nil {
				return nil, fmt.Errorf("a route names the channel %s, and there is none", name)
			}
		}
	}
	return n, nil
}

// Put has a message told, once to each channel whose routes match, from the moment that
// the caller's transaction is committed. A key that was put before changes nothing.
func (n *Notifier) Put(tx *bbolt.Tx, m Message) error {
	return n.put(tx, m, n.o.Config.matching(m))
}

func (n *Notifier) put(tx *bbolt.Tx, m Message, channels []string) error {
	if m.Key == "" {
		return fmt.Errorf("tell %q: it has no key", m.Title)
	}
	now := n.o.Now()
	for _, name := range channels {
		fresh, err := tell(tx, name, m.Key, now)
		if err == nil && fresh {
			err = n.lines[name].take(tx, m, now)
		}
		if err != nil {
			return fmt.Errorf("tell %s of %s: %w", name, m.Key, err)
		}
	}
	return nil
}

// take puts a message into the outbox, or aside for its digest.
func (l *line) take(tx *bbolt.Tx, m Message, now time.Time) error {
	if l.waits(m, now) {
		tx.OnCommit(func() { nudge(l.held) })
		return keep(tx, l.Name, held{Message: m, Put: now})
	}
	item, err := parcel{[]Message{m}}.item(l.Name, m.Key)
	if err != nil {
		return err
	}
	tx.OnCommit(func() { nudge(l.wake) })
	return outbox.Put(tx, now, item)
}

// waits reports whether a message is told later, together with others. What quiet
// hours except is told at once in them.
func (l *line) waits(m Message, now time.Time) bool {
	if _, quiet := l.Quiet.until(now); quiet {
		return !l.Quiet.excepts(m.Severity)
	}
	return l.Digest > 0
}
