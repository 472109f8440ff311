package k8s

import (
	"context"
	"net/http"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/json"
)

// What a diff says of how it was found.
const (
	noteUnknown    = "holds values known only after apply: compared with the fields of the set alone, not checked by the server"
	noteNotChecked = "holds values known only after apply: not checked by the server"
	noteNotDryRun  = "the server could not try it without side effects: compared with the fields of the set alone"
	noteRecreated  = "it is deleted and made anew: compared with the fields of the set alone"
	noteNameless   = "which object it is is known only after apply"
)

// compare fills in the slot of an action that sends an object with what would become of it, at two requests at most:
// the dry-run and one read. The error is the slot's.
func (x *execution) compare(ctx context.Context, i int) error {
	a, r := &x.actions[i], &x.results[i]
	var err error
	r.Action, r.Diff, err = x.difference(ctx, i)
	if a.Verb == VerbRecreate && err == nil {
		r.Action, r.Message = Recreated, a.Reason
	}
	if err != nil {
		r.Message, r.Error = "", err.Error()
		return objectError(x.p.objects[a.Desired], err)
	}
	return nil
}

func (x *execution) difference(ctx context.Context, i int) (ObjectAction, *Diff, error) {
	a, p := &x.actions[i], x.p
	o := p.objects[a.Desired]
	switch {
	case o.unknown:
		return x.compareOwn(ctx, a.Desired, noteUnknown)
	case a.Verb == VerbRecreate:
		return x.compareOwn(ctx, a.Desired, noteRecreated)
	}
	dry, err := x.dryRun(ctx, i)
	switch {
	case err != nil:
		return Failed, nil, err
	case a.Verb == VerbRecreate: // the server has said so
		return x.compareOwn(ctx, a.Desired, noteRecreated)
	case dry == nil:
		return x.compareOwn(ctx, a.Desired, noteNotDryRun)
	case dry.created:
		return Created, p.created(a.Desired), nil
	}
	live, err := x.read(ctx, a.Desired)
	if err != nil {
		return Failed, nil, err
	}
	if live == nil { // deleted in between
		return Created, p.created(a.Desired), nil
	}
	merged, err := decodeObject(dry.body)
	if err != nil {
		return Failed, nil, err
	}
	d := diffObjects(live, merged, o.sensitive)
	if len(d.Changes) == 0 && !d.Adopts {
		return Unchanged, nil, nil
	}
	return Configured, d, nil
}

// compareOwn compares a desired object with the live one by the fields that are the set's: for what the server
// cannot be asked about, because note says so. One request.
func (x *execution) compareOwn(ctx context.Context, i int, note string) (ObjectAction, *Diff, error) {
	p := x.p
	o := p.objects[i]
	live, err := x.read(ctx, i)
	if err != nil {
		return Failed, nil, err
	}
	desired, err := decodeObject(p.body[i])
	if err != nil {
		return Failed, nil, err
	}
	if live == nil {
		d := p.created(i)
		if d.Note = note; o.unknown {
			d.Note = noteNotChecked
		}
		return Created, d, nil
	}
	d := diffObjects(ownPart(live, desired), desired, o.sensitive)
	d.Adopts = labelOf(live, ownerLabel) != p.set.label()
	d.Note = note
	return Configured, d, nil
}

// created is the diff of an object that is not there yet.
func (p *prepared) created(i int) *Diff {
	return diffObjects(nil, p.objects[i].Object, p.objects[i].sensitive)
}

// read returns the live object, nil when there is none, and remembers it for the plan.
func (x *execution) read(ctx context.Context, i int) (map[string]any, error) {
	live, err := x.c.read(ctx, x.p, i)
	if o := x.p.objects[i]; err == nil && live != nil && !o.isSecret() {
		x.mu.Lock()
		x.seen[o.ID()] = live
		x.mu.Unlock()
	}
	return live, err
}

func (c *Cluster) read(ctx context.Context, p *prepared, i int) (map[string]any, error) {
	o, k := p.objects[i], p.kind[i]
	a, err := c.send(ctx, request{verb: http.MethodGet, path: k.object(o.GetNamespace(), url.PathEscape(o.GetName())), accept: acceptObject})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, c.refusal(o, err)
	}
	return decodeObject(a.body)
}

// decodeObject reads JSON with whole numbers as int64, as all objects here have them.
func decodeObject(body []byte) (map[string]any, error) {
	var o map[string]any
	err := json.Unmarshal(body, &o)
	return o, err
}
