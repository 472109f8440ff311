package k8s

import (
	"context"
	"slices"
)

const noteVanished = "the cluster does not serve its kind any more"

// setVanishedApart notes the objects whose kind has gone from the cluster, and they with it, and returns the others. A kind that is
// served in another version, or by a service that does not answer now, has not gone.
func (s *driftScan) setVanishedApart(ctx context.Context, objects []Object) ([]Object, error) {
	known, err := s.c.kindsFor(ctx, objects, s.stored.Items)
	if err != nil {
		return nil, err
	}
	var rest []Object
	for _, o := range objects {
		_, served := known.preferred[o.gvk().GroupKind()]
		item, held := s.before[o.ID()]
		if !held { // its namespace may be the set's default
			id := o.ID()
			id.Namespace = s.set.Namespace()
			item, held = s.before[id]
		}
		if served || !held || item.UID == "" || slices.Contains(known.stale, o.gvk().Group) {
			rest = append(rest, o)
			continue
		}
		s.gone = append(s.gone, ObjectDrift{ID: item.ID, Ref: item.Ref(), File: o.File, Line: o.Line, State: DriftDeleted, Note: noteVanished})
	}
	return rest, nil
}
