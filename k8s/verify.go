package k8s

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// verify asks the server about every object that its records say is as desired, by a dry-run and a read each, and has those sent
// that would change. (An apply itself is no way to find out: the server writes some objects anew although nothing in them changes.)
func (x *execution) verify(ctx context.Context) error {
	changed := make([]bool, len(x.actions))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range x.actions {
		a, r := &x.actions[i], &x.results[i]
		if a.Verb != VerbVerify {
			continue
		}
		group.Go(func() error {
			_, d, err := x.difference(gctx, i)
			switch {
			case a.Verb == VerbRecreate: // the dry-run has said so
			case err == nil && (d == nil || len(d.Changes) == 0 && !d.Adopts):
				a.Verb, r.Action, r.Message = VerbKeep, Unchanged, ""
				return nil
			default: // an error comes again where it is said as what it is
				a.Verb = VerbApply
			}
			changed[i] = true
			return nil
		})
	}
	_ = group.Wait() // nobody fails
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i := range changed {
		if changed[i] {
			x.runHooks()
			break
		}
	}
	return nil
}

// runHooks decides about hooks again once more is known to change.
func (x *execution) runHooks() {
	end := 0
	for end < len(x.actions) && x.actions[end].Desired >= 0 {
		end++
	}
	runHooks(x.actions[:end], x.actions[end:])
}
