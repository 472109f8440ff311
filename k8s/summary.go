package k8s

import (
	"errors"
	"fmt"
	"slices"
)

// objectErrors says all failures of a stage, not only the first.
func (x *execution) objectErrors(first error) error {
	failed := 0
	for _, r := range x.results {
		if r.Action == Failed {
			failed++
		}
	}
	if failed > 1 {
		return fmt.Errorf("%w (and %d more)", first, failed-1)
	}
	return first
}

func (x *execution) event(i int) {
	r := x.results[i]
	message := r.Message
	if r.Error != "" {
		message = r.Error
	}
	x.sink.send(Event{Kind: EventObject, Ref: r.Ref, Action: r.Action, Health: r.Health, Message: message})
}

func causeOf(err error) string {
	var o *ObjectError
	if errors.As(err, &o) {
		return o.Err.Error()
	}
	return err.Error()
}

// summary is the result as it stands.
func (x *execution) summary() Result {
	r := Result{Inventory: x.inv.with(x.held)}
	for i, o := range x.results {
		if x.actions[i].Verb == VerbHold {
			r.Held = append(r.Held, x.actions[i].Item.ID)
		}
		if x.actions[i].Verb != VerbForget {
			r.Objects = append(r.Objects, o)
		}
	}
	r.count()
	return r
}

// markFailed shows objects as failed that an error names and no slot does yet: what was refused before a plan
// existed.
func (x *execution) markFailed(err error) Result {
	r := x.summary()
	for _, e := range objectErrorsIn(err) {
		i := slices.IndexFunc(r.Objects, func(o ObjectResult) bool { return o.Ref == e.Ref })
		if i < 0 {
			r.Objects = append(r.Objects, ObjectResult{Ref: e.Ref, File: e.File, Line: e.Line})
			i = len(r.Objects) - 1
		}
		o := &r.Objects[i]
		if o.Error == "" {
			o.Error = e.Err.Error()
		}
		if !errors.Is(e, ErrUnhealthy) { // else it was applied, and its health tells the rest
			o.Action, o.Message = Failed, ""
		}
	}
	r.count()
	return r
}

// objectErrorsIn finds every *ObjectError in a tree of joined errors.
func objectErrorsIn(err error) []*ObjectError {
	switch e := err.(type) {
	case *ObjectError:
		return []*ObjectError{e}
	case interface{ Unwrap() []error }:
		var all []*ObjectError
		for _, sub := range e.Unwrap() {
			all = append(all, objectErrorsIn(sub)...)
		}
		return all
	case interface{ Unwrap() error }:
		return objectErrorsIn(e.Unwrap())
	}
	return nil
}
