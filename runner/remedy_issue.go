package runner

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/comment"
	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/runner/drift"
	"github.com/mooring-iac/mooring/workspace"
)

// driftLabels are on every issue and pull request about drift.
var driftLabels = []string{"drift"}

// telling is what is to be said of a unit's drift.
type telling struct {
	u       *workspace.Unit
	records []drift.Record
	drift   string         // digest of records
	why     string         // why Mooring heals nothing itself
	left    []comment.Left // what could not be written into files
}

// text is what an issue says; digest is equal as long as that is the same but for links.
func (d *remedier) issueText(t telling) (title, body, digest string) {
	about := d.about(t)
	about.Next = []comment.Next{
		{Command: "mooring drift list", Does: "shows it in a terminal"},
		{Command: "mooring drift ack " + t.u.ID + " --until 2w", Does: "says that it is known"},
	}
	title = comment.DriftTitle(t.u.ID, t.records)
	digest = brief(title + "\x00" + comment.DriftIssue(about, d.limit))
	about.URL = d.scanPage(t)
	return title, comment.DriftIssue(about, d.limit), digest
}

func (d *remedier) about(t telling) comment.Drift {
	return comment.Drift{Marker: d.marker(t.u.ID), Unit: t.u.ID, Records: t.records, Left: t.left, Why: t.why}
}

func (d *remedier) marker(unit string) string {
	return comment.Marker("drift", d.repo.cfg.Name, 0, unit)
}

// scanPage is where the scan that saw a drift last is shown.
func (d *remedier) scanPage(t telling) string { return d.r.page(t.records[0].Run, t.u.ID) }

// issue opens the one issue about a unit's drift, or brings it up to date.
func (d *remedier) issue(ctx context.Context, m *remedy, t telling) error {
	title, body, digest := d.issueText(t)
	i := m.Issue
	switch {
	case i == nil || i.Number == 0:
		return d.openIssue(ctx, m, t, title, body, digest)
	case i.Ended && i.Drift == t.drift, !i.Ended && i.Text == digest:
		return nil
	case i.Ended:
		return d.openIssue(ctx, m, t, title, body, digest)
	}
	now, err := d.issues.Issue(ctx, i.Number)
	switch {
	case errors.Is(err, forge.ErrNotFound):
		return d.openIssue(ctx, m, t, title, body, digest) // somebody deleted it
	case err != nil:
		return err
	case now.State == forge.Closed && i.Drift == t.drift:
		i.Ended = true // a person said that it is done: only another drift is worth another issue
		return d.keep(m)
	case now.State == forge.Closed:
		return d.openIssue(ctx, m, t, title, body, digest)
	}
	if err := d.issues.EditIssue(ctx, i.Number, title, body); err != nil {
		return err
	}
	i.Drift, i.Text = t.drift, digest
	return d.keep(m)
}

// openIssue opens an issue. What was opened by a Mooring that was killed before it could write that down is found again.
func (d *remedier) openIssue(ctx context.Context, m *remedy, t telling, title, body, digest string) error {
	m.Issue = &written{}
	if err := d.keep(m); err != nil {
		return err
	}
	found, ok, err := d.findIssue(ctx, m.Unit)
	switch {
	case err != nil:
		return err
	case ok:
		err = d.issues.EditIssue(ctx, found.Number, title, body)
	default:
		found, err = d.issues.OpenIssue(ctx, forge.Issue{Title: title, Body: body, Labels: driftLabels})
	}
	if err != nil {
		return err
	}
	*m.Issue = written{Number: found.Number, Drift: t.drift, Text: digest}
	return d.keep(m)
}

func (d *remedier) findIssue(ctx context.Context, unit string) (forge.Issue, bool, error) {
	return d.issues.FindIssue(ctx, func(body string) bool { return comment.HasMarker(body, d.marker(unit)) })
}

// closeIssue closes what is open, and forgets it.
func (d *remedier) closeIssue(ctx context.Context, m *remedy, word string) error {
	if m.Issue == nil {
		return nil
	}
	number := m.Issue.Number
	if number == 0 {
		found, ok, err := d.findIssue(ctx, m.Unit)
		if err != nil {
			return err
		}
		if ok {
			number = found.Number
		}
	}
	if number != 0 && !m.Issue.Ended {
		if err := d.issues.CloseIssue(ctx, number, word); err != nil && !errors.Is(err, forge.ErrNotFound) {
			return err
		}
	}
	m.Issue = nil
	return d.keep(m)
}

// healed closes what is open about a unit that has drifted no more.
func (d *remedier) healed(ctx context.Context, m *remedy) error {
	if !m.began() {
		return nil
	}
	by, at := "", d.r.opts.Now()
	err := d.r.journal.view(func(tx *bbolt.Tx) error {
		ended, err := endedDrifts(tx, m.Repository, m.Unit, time.Time{})
		for i, r := range ended {
			if i == 0 || r.Ended.After(at) {
				by, at = r.EndedBy, *r.Ended
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return d.putAway(ctx, m, comment.DriftHealed(by, at))
}

// putAway closes what is open, with a last word, and deletes the branch.
func (d *remedier) putAway(ctx context.Context, m *remedy, word string) error {
	if !m.began() {
		return nil
	}
	if err := d.closePull(ctx, m, word); err != nil {
		return err
	}
	return d.closeIssue(ctx, m, word)
}
