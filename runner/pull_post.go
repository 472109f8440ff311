package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/comment"
	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/internal/outbox"
)

// patience is how often something is told that the forge does not take: for a day or
// so. A token that has run out is renewed by then.
const patience = 300

// post tells the forge what waits to be told, until ctx ends.
func (v *reviewer) post(ctx context.Context) error {
	if v.forge == nil {
		return nil
	}
	log := v.r.opts.Log.With("repository", v.repo.cfg.Name)
	d := &outbox.Deliverer{
		Store: v.r.journal.db, Queue: queueOf(v.repo.cfg.Name), Wake: v.outgo, Now: v.r.opts.Now,
		Send:        v.send,
		Tries:       patience,
		Unavailable: func(err error) bool { return errors.Is(err, forge.ErrUnavailable) },
		Failed: func(it outbox.Item, err error, next time.Time) {
			log.Warn("the forge could not be told something; trying again", "what", it.Key, "at", next.UTC().Format(time.RFC3339), "error", err)
		},
		GaveUp: func(it outbox.Item, err error) {
			log.Error("the forge does not take something, and is not asked any more", "what", it.Key, "error", err)
		},
	}
	return d.Run(ctx)
}

// postUntil posts until ctx ends, whatever comes between.
func (v *reviewer) postUntil(ctx context.Context) {
	for ctx.Err() == nil {
		if err := v.post(ctx); err != nil {
			v.r.opts.Log.Error("what is to be posted cannot be read", "repository", v.repo.cfg.Name, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(firstPause):
		}
	}
}

// drain posts what is due now and returns; what the forge does not take is left for
// the next time.
func (v *reviewer) drain(ctx context.Context) error {
	if v.forge == nil {
		return nil
	}
	for {
		var items []outbox.Item
		err := v.r.journal.view(func(tx *bbolt.Tx) (err error) {
			items, _, err = outbox.Due(tx, queueOf(v.repo.cfg.Name), v.r.opts.Now())
			return err
		})
		if err != nil || len(items) == 0 {
			return err
		}
		for _, it := range items {
			if err := v.send(ctx, it); err != nil {
				return fmt.Errorf("tell the forge %s: %w", it.Key, err)
			}
			if err := v.r.journal.update(func(tx *bbolt.Tx) error { return outbox.Done(tx, it) }); err != nil {
				return err
			}
		}
	}
}

// send tells one thing. It may be told a second time after a crash: a report is
// edited, not made again, an answer is looked for before it is given.
func (v *reviewer) send(ctx context.Context, it outbox.Item) error {
	var n note
	if err := json.Unmarshal(it.Body, &n); err != nil {
		return fmt.Errorf("read what is to be told: %w", err)
	}
	p, err := v.r.pull(v.repo.cfg.Name, n.Pull)
	if errors.Is(err, errNoPull) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case n.Report:
		return unlessGone(v.postReport(ctx, p))
	case n.Status != nil:
		err := v.forge.SetStatus(ctx, n.Commit, *n.Status)
		if errors.Is(err, forge.ErrNotFound) {
			return nil // the commit is gone with its branch: nobody looks at it
		}
		return err
	case n.React != "":
		err := v.forge.React(ctx, p.number(), n.Comment, n.React)
		if errors.Is(err, forge.ErrNotFound) {
			return nil // the comment was removed
		}
		return err
	case n.Answer != "":
		return unlessGone(v.answerOnce(ctx, p, n))
	case n.Merge != nil:
		return v.mergeNow(ctx, p, *n.Merge)
	}
	return nil
}

// unlessGone takes it as said where the pull request is gone, or hidden from us.
func unlessGone(err error) error {
	if errors.Is(err, forge.ErrNotFound) {
		return nil
	}
	return err
}

// postReport brings the one comment up to date. Who said yes before it is there said
// yes to something else: reviews are heard first.
func (v *reviewer) postReport(ctx context.Context, p *pull) error {
	if err := v.hearReviews(ctx, p.ID); err != nil && !errors.Is(err, forge.ErrNotFound) {
		return err
	}
	var report *reportOf
	err := v.r.journal.view(func(tx *bbolt.Tx) (err error) {
		if p, err = getPull(tx, p.Repository, p.ID); err != nil {
			return err
		}
		report, err = v.report(tx, p)
		return err
	})
	if err != nil {
		return err
	}
	v.addTexts(report)
	body := comment.Render(report.Report, v.forge.MaxComment())
	sum := sha256.Sum256([]byte(body))
	digest := hex.EncodeToString(sum[:])
	id := p.Report
	if id == 0 {
		// A Mooring that was killed between the post and the record of it has posted already.
		if id, err = v.findReport(ctx, p); err != nil {
			return err
		}
	}
	if digest != p.Posted || id == 0 {
		if id, err = v.putReport(ctx, p, id, body); err != nil {
			return err
		}
	}
	shown := p.Plan
	if shown != nil && shown.Done && !shown.Shown {
		// Who said yes while this was on its way looked at what stood there before.
		if err := v.hearReviews(ctx, p.ID); err != nil && !errors.Is(err, forge.ErrNotFound) {
			return err
		}
	}
	return v.r.changePull(p.Repository, p.ID, func(tx *bbolt.Tx, p *pull) error {
		p.Report, p.Posted = id, digest
		if shown != nil && p.Plan != nil && p.Plan.Head == shown.Head && p.Plan.Run == shown.Run && p.Plan.Content == shown.Content && shown.Done {
			p.Plan.Shown = true
		}
		return nil
	})
}

func (v *reviewer) putReport(ctx context.Context, p *pull, id int64, body string) (int64, error) {
	if id != 0 {
		err := v.forge.EditComment(ctx, p.number(), id, body)
		if !errors.Is(err, forge.ErrNotFound) {
			return id, err
		}
	}
	return v.forge.Comment(ctx, p.number(), body)
}

func (v *reviewer) findReport(ctx context.Context, p *pull) (int64, error) {
	comments, err := v.forge.Comments(ctx, p.number(), 0)
	if err != nil {
		return 0, err
	}
	self, err := v.forge.Self(ctx)
	if err != nil {
		return 0, err
	}
	return ownReport(comments, self, v.marker(p)), nil
}

// ownReport finds the comment that we keep up to date; 0 where there is none.
func ownReport(comments []forge.Comment, self forge.User, marker string) int64 {
	for _, c := range comments {
		if c.By.ID == self.ID && comment.HasMarker(c.Body, marker) {
			return c.ID
		}
	}
	return 0
}

// answerOnce says something below a pull request, unless it was said before.
func (v *reviewer) answerOnce(ctx context.Context, p *pull, n note) error {
	comments, err := v.forge.Comments(ctx, p.number(), n.Comment)
	if err != nil {
		return err
	}
	self, err := v.forge.Self(ctx)
	if err != nil {
		return err
	}
	if ownReport(comments, self, n.Marker) != 0 {
		return nil
	}
	_, err = v.forge.Comment(ctx, p.number(), comment.Answer(n.Marker, n.Answer))
	return err
}
