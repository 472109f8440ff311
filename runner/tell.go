package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/notify"
	"github.com/mooring-iac/mooring/internal/web"
	"github.com/mooring-iac/mooring/runner/drift"
)

// teller takes messages for people, in the transaction that makes them true. *notify.Notifier is one.
type teller interface {
	Put(tx *bbolt.Tx, m notify.Message) error
}

// tell tells people what a scan found new of a unit: one message, however much it is.
func (x *scanRun) tell(tx *bbolt.Tx, l *looked, events []drift.Event) error {
	if x.r.notify == nil || len(events) == 0 {
		return nil
	}
	m := driftMessage(x.run, l, events)
	same, err := sameElsewhere(tx, events)
	if err != nil {
		return err
	}
	m.Lines = append(m.Lines, same...)
	m.URL, m.At = x.r.page(x.run.ID, l.ID), x.r.opts.Now()
	return x.r.notify.Put(tx, m)
}

// sameElsewhere says where else the same was done, of what began or changed: it has one cause, most often.
func sameElsewhere(tx *bbolt.Tx, events []drift.Event) (lines []string, err error) {
	causes := map[string]bool{}
	for _, e := range events {
		if e.News == drift.New || e.News == drift.Altered {
			causes[e.Record.Cause] = true
		}
	}
	if len(causes) == 0 {
		return nil, nil
	}
	open, err := driftsBelow(tx, nil)
	if err != nil {
		return nil, err
	}
	open = slices.DeleteFunc(open, func(d drift.Record) bool { return !causes[d.Cause] || d.Ended != nil })
	for _, g := range drift.Causes(open) {
		if len(g.Units) > 1 {
			lines = append(lines, "the same in "+g.String())
		}
	}
	return lines, nil
}

// deliver tells the channels what waits for them, until ctx ends.
func (r *Runner) deliver(ctx context.Context) {
	for tries := 1; ctx.Err() == nil; tries++ {
		if err := r.notifier.Run(ctx); err != nil {
			r.opts.Log.Error("notifications cannot be delivered; trying again", "error", err)
		}
		timer := time.NewTimer(backoff(firstPause, lastPause, tries))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// tellNow delivers what waits before a command ends. Where the loop runs, that does.
func (r *Runner) tellNow(ctx context.Context) error {
	if r.notifier == nil || r.serving.Load() || ctx.Err() != nil {
		return nil
	}
	return r.notifier.Flush(ctx)
}

// delivered logs what became of a try to tell a channel.
func (r *Runner) delivered(channel string, err error) {
	if err != nil {
		r.opts.Log.Warn("a notification was not delivered; it is tried again", "channel", channel, "error", err)
		return
	}
	r.opts.Log.Debug("notified", "channel", channel)
}

// Channels is how the channels of notifications are.
func (r *Runner) Channels() ([]notify.ChannelHealth, error) {
	if r.notifier == nil {
		return nil, nil
	}
	return r.notifier.Health()
}

// mostLines is how many drifts one message spells out.
const mostLines = 20

func driftMessage(run *Run, l *looked, events []drift.Event) notify.Message {
	m := notify.Message{
		Key: "drift/" + run.Repository + "/" + l.ID + "/" + run.ID, Event: notify.Drift, Group: "drift/" + run.Repository + "/" + l.ID,
		Repository: run.Repository, Unit: l.ID, Run: run.ID,
	}
	has := map[drift.News]int{}
	for i, e := range events {
		has[e.News]++
		if e.News != drift.Resolved {
			m.Severity = max(m.Severity, gravity(e.Record.Severity))
		}
		switch {
		case i < mostLines:
			m.Lines = append(m.Lines, driftLine(e))
		case i == mostLines:
			m.Lines = append(m.Lines, fmt.Sprintf("and %d more: `mooring drift list`", len(events)-i))
		}
	}
	switch {
	case len(l.Drift) == 0:
		m.State, m.Title = string(drift.Resolved), fmt.Sprintf("%s: no drift any more", l.ID)
		for _, e := range events { // who heard of the drift hears of its end
			m.Severity = max(m.Severity, gravity(e.Record.Severity))
		}
		return m
	case has[drift.New] > 0:
		m.State = string(drift.New)
	case has[drift.Altered] > 0, has[drift.Resolved] > 0:
		m.State = string(drift.Altered)
		for _, d := range l.Drift { // what is left of it is as grave as it was
			m.Severity = max(m.Severity, gravity(d.Severity))
		}
	default:
		m.State = string(drift.Reminder)
	}
	var said []string
	for _, n := range []drift.News{drift.New, drift.Altered, drift.Resolved, drift.Reminder} {
		if has[n] > 0 {
			said = append(said, fmt.Sprintf("%d %s", has[n], newsWords[n]))
		}
	}
	m.Title = fmt.Sprintf("%s: drift, %s", l.ID, strings.Join(said, ", "))
	return m
}

var newsWords = map[drift.News]string{drift.New: "new", drift.Altered: "changed", drift.Resolved: "resolved", drift.Reminder: "still there"}

func driftLine(e drift.Event) string {
	return fmt.Sprintf("%s: %s", newsWords[e.News], e.Record.String())
}

// gravity is a finding's severity in the words of messages.
func gravity(s drift.Severity) notify.Severity {
	switch s {
	case drift.Critical:
		return notify.Critical
	case drift.Warning:
		return notify.Warning
	}
	return notify.Info
}

// tellRun tells people how the units of a run ended: what failed, what waits, what was applied. The same failure of the
// same commit is told once, however often it is tried.
func (r *Runner) tellRun(tx *bbolt.Tx, run *Run) error {
	if r.notify == nil || run.Review || run.Trigger == OnDrift {
		return nil
	}
	var applied []string
	for i := range run.Units {
		u := &run.Units[i]
		m := notify.Message{Repository: run.Repository, Unit: u.ID, Run: run.ID, URL: r.page(run.ID, u.ID), At: r.opts.Now(), Group: "run/" + run.Repository + "/" + u.ID}
		switch u.Status {
		case Applied:
			applied = append(applied, fmt.Sprintf("%s: %d to add, %d to change, %d to destroy", u.ID, u.Add, u.Change, u.Destroy))
			continue
		case Failed, Interrupted:
			m.Event, m.Severity, m.Title = notify.Failed, notify.Critical, fmt.Sprintf("%s %s at %s", u.ID, u.Status, short(run.Commit))
			m.Lines, m.Key = firstLines(u.Error), fmt.Sprintf("%s/%s/%s/%s/%s", notify.Failed, run.Repository, u.ID, run.files(), u.Status)
		case Held:
			m.Event, m.Severity, m.Title = notify.Held, notify.Warning, fmt.Sprintf("%s waits for a person at %s", u.ID, short(run.Commit))
			m.Lines = append(firstLines(u.Reason), "`mooring show "+run.ID+"`, then `mooring approve "+run.ID+"` or `mooring discard "+run.ID+"`")
		default:
			continue
		}
		if m.Key == "" {
			m.Key = fmt.Sprintf("%s/%s/%s/%s/%s", m.Event, run.Repository, u.ID, run.files(), brief(u.Reason))
		}
		if err := r.notify.Put(tx, m); err != nil {
			return err
		}
	}
	if len(applied) == 0 {
		return nil
	}
	return r.notify.Put(tx, notify.Message{
		Key: fmt.Sprintf("applied/%s/%s", run.ID, brief(strings.Join(applied, "\n"))), Event: notify.Applied, Severity: notify.Info, Repository: run.Repository, Run: run.ID,
		Title: fmt.Sprintf("%s applied at %s: %s", count(len(applied), "unit"), short(run.Commit), run.Subject), Lines: applied, URL: r.page(run.ID, ""), At: r.opts.Now(), Group: "run/" + run.ID,
	})
}

// firstLines are what a message says of a long text.
func firstLines(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > mostLines {
		lines = append(lines[:mostLines:mostLines], "…")
	}
	return lines
}

// brief stands for a text in a key.
func brief(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// page is where a run, or one unit of it, can be read; "" where there are no links.
func (r *Runner) page(run, unit string) string {
	if r.opts.PublicURL == "" || run == "" {
		return ""
	}
	path := web.RunPath(run)
	if unit != "" {
		path = web.UnitPath(run, unit)
	}
	return strings.TrimRight(r.opts.PublicURL, "/") + path
}
