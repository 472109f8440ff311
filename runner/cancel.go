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
	if errors.As(context.Cause(stopOf(ctx)), &c) {
		return c.Error()
	}
	return ""
}

// stopKey finds in a context the one that ends when a person cancels, which also happens
// while everything else has been told to end already.
type stopKey struct{}

func stopOf(ctx context.Context) context.Context {
	if stop, ok := ctx.Value(stopKey{}).(context.Context); ok {
		return stop
	}
	return context.Background()
}

// control is what can cancel a run, for as long as anybody works on it.
type control struct {
	stop  context.Context
	end   context.CancelCauseFunc
	users int
}

// cancellable makes a context that Cancel can end, until done.
func (r *Runner) cancellable(ctx context.Context, run string) (_ context.Context, done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.running[run]
	if c == nil {
		c = &control{}
		c.stop, c.end = context.WithCancelCause(context.Background())
		r.running[run] = c
	}
	c.users++
	ctx, cancel := context.WithCancelCause(context.WithValue(ctx, stopKey{}, c.stop))
	unstop := context.AfterFunc(c.stop, func() { cancel(context.Cause(c.stop)) })
	return ctx, func() {
		unstop()
		cancel(nil)
		r.mu.Lock()
		defer r.mu.Unlock()
		if c.users--; c.users == 0 {
			delete(r.running, run)
			c.end(nil)
		}
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
	runs := r.running[run.ID]
	var mine []adopted
	for _, a := range r.adopted {
		if a.run == run.ID {
			mine = append(mine, a)
		}
	}
	r.mu.Unlock()
	switch {
	case runs != nil:
		r.opts.Log.Warn("a person cancelled a run", "run", run.ID, "repository", run.Repository, "by", by)
		runs.end(why)
	case len(mine) > 0:
		ended, done := r.cancellable(ctx, run.ID)
		defer done()
		r.mu.Lock()
		r.running[run.ID].end(why)
		r.mu.Unlock()
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
