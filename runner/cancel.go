package runner

import (
	"context"
	"errors"
	"fmt"
)

// cancelled is the cause of a context that a person ended.
type cancelled struct{ by string }

func (e *cancelled) Error() string { return "cancelled by " + e.by }

// cancelledBy says who cancelled, in words; "" where nobody did.
func cancelledBy(ctx context.Context) string {
	var c *cancelled
	if errors.As(context.Cause(ctx), &c) {
		return c.Error()
	}
	return ""
}

// cancellable makes a context that Cancel can end, until done.
func (r *Runner) cancellable(ctx context.Context, run string) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	outer := r.running[run]
	r.running[run] = func(why error) {
		cancel(why)
		if outer != nil { // several adopted applies of one run
			outer(why)
		}
	}
	return ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.running, run)
		cancel(nil)
	}
}

// Cancel ends a run: nothing more of it begins, Terraform is interrupted and killed
// after its grace, and what waits for a person is discarded. It returns as soon as
// that is asked for; an apply that nobody here watches is waited for.
func (r *Runner) Cancel(ctx context.Context, id, by string) (Run, error) {
	run, err := r.Show(id)
	if err != nil {
		return Run{}, fmt.Errorf("cancel: %w", err)
	}
	why := &cancelled{by}
	r.mu.Lock()
	end := r.running[run.ID]
	var mine []adopted
	for _, a := range r.adopted {
		if a.run == run.ID {
			mine = append(mine, a)
		}
	}
	r.mu.Unlock()
	switch {
	case end != nil:
		r.opts.Log.Warn("a person cancelled a run", "run", run.ID, "repository", run.Repository, "by", by)
		end(why)
	case len(mine) > 0:
		ended, stop := context.WithCancelCause(ctx)
		stop(why)
		for _, a := range mine {
			if err := r.followOne(ended, a); err != nil {
				return run, fmt.Errorf("cancel %s: %w", run.ID, err)
			}
		}
	case run.Waits():
		return r.decide(Decision{Run: run.ID, By: by}, false)
	default:
		return run, fmt.Errorf("cancel %s: %w: it is %s", run.ID, ErrNothingRuns, run.Status)
	}
	return r.Show(run.ID)
}

// ErrNothingRuns is returned for the cancel of a run that has ended.
var ErrNothingRuns = errors.New("nothing of it runs or waits")
