package k8s

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What is said of a comparison that the server had no part in.
const (
	noteImmutable = "the server will not change it back: compared with the fields of the set alone"
	noteRefused   = "the server would refuse what is desired: compared with the fields of the set alone"
)

// compareOne fills in the slot of an object: one read, and a dry-run of what is desired where it is there.
func (s *driftScan) compareOne(ctx context.Context, i int) error {
	o := &s.found[i]
	live, err := s.c.read(ctx, s.p, i)
	if err != nil {
		return err
	}
	if live == nil {
		if !s.p.desired[i].Expires { // else it may have removed itself
			o.State = DriftDeleted
		}
		return nil
	}
	s.live[i] = live
	now := &unstructured.Unstructured{Object: live}
	if moved, err := s.hasMoved(o.ID, now); err != nil {
		return err
	} else if moved {
		s.verbs[i] = VerbSkip
		return nil
	}
	if at := now.GetDeletionTimestamp(); at != nil {
		o.State, o.Since, o.Finalizers = DriftDeleting, &at.Time, now.GetFinalizers()
		return nil
	}
	merged, note, err := s.wanted(ctx, i, live)
	if err != nil {
		return err
	}
	if merged == nil { // deleted in between
		s.live[i], o.State = nil, DriftDeleted
		return nil
	}
	base := live
	if note != "" {
		base = ownPart(live, merged)
	}
	isOther := now.GetUID() != s.before[o.ID].UID
	w := newWriters(live)
	for _, c := range s.ours(i, diffObjects(base, merged, s.p.objects[i].sensitive), live, w, isOther, note != "") {
		o.Fields = append(o.Fields, s.fieldDrift(i, c, w, merged))
	}
	switch {
	case isOther && (len(o.Fields) > 0 || managedDigest(now.GetManagedFields()) == ""):
		o.State, o.WasUID, o.UID = DriftRecreated, s.before[o.ID].UID, now.GetUID()
	case len(o.Fields) > 0:
		o.State = DriftChanged
	default:
		note = ""
	}
	o.Note = note
	return nil
}

// wanted is what the server makes of the desired object beside what is there; nil when nothing is there any more. A note says that
// the server could not be asked: it is the desired object alone then.
func (s *driftScan) wanted(ctx context.Context, i int, live map[string]any) (merged map[string]any, note string, err error) {
	dry, err := s.c.dryRun(ctx, s.p, i)
	switch {
	case len(immutable(err)) > 0:
		note = noteImmutable
	case isVerdict(err): // who keeps an object from being put back must not hide what was done to it
		note = noteRefused + " (" + oneLine(err.Error()) + ")"
	case err != nil:
		return nil, "", err
	case dry == nil:
		note = noteNotDryRun
	case dry.created:
		return nil, "", nil
	default:
		merged, err = decodeObject(dry.body)
		return merged, "", err
	}
	merged, err = decodeObject(s.p.body[i])
	return merged, note, err
}

// isVerdict tells a refusal of what an object says from one that is about who asks, or about now.
func isVerdict(err error) bool {
	var invalid *InvalidError
	var refused *RefusedError
	switch {
	case errors.As(err, &invalid):
		return true
	case errors.As(err, &refused):
		return !refused.Temporary && !errors.Is(err, ErrUnauthorized) && (refused.Reason == "Forbidden" || refused.Reason == "BadRequest" || refused.Reason == "Invalid")
	}
	return false
}

// ours are those of the changes that are drift. own tells that no server was asked.
func (s *driftScan) ours(i int, d *Diff, live map[string]any, w *writers, isOther, own bool) []FieldChange {
	changes := keyByKey(d.Changes)
	if d.Adopts {
		steps := []step{{field: "metadata"}, {field: "labels"}, {field: ownerLabel}}
		c := change(steps, FieldReplace, any(labelOf(live, ownerLabel)), s.set.label())
		if c.Old == "" {
			c.Op, c.Old = FieldAdd, nil
		}
		changes = append(changes, c)
	}
	applied := s.isAsApplied(i)
	var ours []FieldChange
	for _, c := range changes {
		by, known := w.of(c.steps)
		switch {
		case isLeftToOthers(s.p.objects[i], c, by):
		case own && c.Op == FieldAdd && isNothing(c.New):
			// The server does not keep what is empty.
		case own && applied && !isOther && w.isMooring(c.steps):
			// The server records it as applied by us: it is written otherwise there, and means the same.
		case !applied && !isOther && (!known || by.Manager == manager):
			s.behind[i] = true // nobody else has written it: the files have moved on
		default:
			ours = append(ours, c)
		}
	}
	if len(ours) > 0 {
		s.behind[i] = false
	}
	return ours
}

func isNothing(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// keyByKey takes apart what is said of all labels, or all annotations, at once: each has a writer of its own.
func keyByKey(changes []FieldChange) []FieldChange {
	var all []FieldChange
	for _, c := range changes {
		old, wasMap := c.Old.(map[string]any)
		new, isMap := c.New.(map[string]any)
		if c.Path != "metadata.labels" && c.Path != "metadata.annotations" || !(wasMap || c.Old == nil) || !(isMap || c.New == nil) {
			all = append(all, c)
			continue
		}
		all = diffMaps(all, c.steps, old, new)
	}
	return all
}

// hasMoved tells whether another set wants an object that carries that set's label.
func (s *driftScan) hasMoved(id ID, live *unstructured.Unstructured) (bool, error) {
	owner := live.GetLabels()[ownerLabel]
	if owner == "" || owner == s.set.label() || s.opts.Elsewhere == nil {
		return false, nil
	}
	s.asking.Lock()
	defer s.asking.Unlock()
	other, err := s.opts.Elsewhere(id)
	if err != nil {
		return false, fmt.Errorf("it carries another set's label, and %w", err)
	}
	return other != "", nil
}

// fieldDrift turns a change that would be made into what was done. Of a Secret there is the path alone.
func (s *driftScan) fieldDrift(i int, c FieldChange, w *writers, merged map[string]any) FieldDrift {
	f := FieldDrift{Path: c.Path, Wanted: c.New, Live: c.Old}
	if o := s.p.objects[i]; o.isSecret() || o.sensitive {
		f.Wanted, f.Live, f.Secret = nil, nil, true
		f.Digest = s.set.digestOf(valueIn(merged, c.steps), valueIn(w.live, c.steps))
	}
	if by, known := w.of(c.steps); known {
		f.By, f.Sub = by.Manager, by.Subresource
		f.At = timeOf(by)
	}
	return f
}

func timeOf(e metav1.ManagedFieldsEntry) *time.Time {
	if e.Time == nil {
		return nil
	}
	at := e.Time.UTC()
	return &at
}

// digestOf is a keyed hash of each of two values, or "" without a key: a plain one would give a weak password away.
func (s Set) digestOf(wanted, live any) string {
	if len(s.Key) == 0 {
		return ""
	}
	hash := func(v any) string {
		mac := hmac.New(sha256.New, s.Key)
		raw, err := json.Marshal(v)
		if err != nil {
			raw = fmt.Appendf(nil, "%#v", v) // nothing that came from JSON
		}
		mac.Write(raw) // never fails
		return hex.EncodeToString(mac.Sum(nil)[:16])
	}
	return hash(wanted) + "." + hash(live)
}

// valueIn is what stands at a path; nil where nothing does.
func valueIn(v any, path []step) any {
	for _, at := range path {
		if at.item != "" {
			item, there := itemAt(v, at)
			if !there {
				return nil
			}
			v = item
			continue
		}
		m, _ := v.(map[string]any)
		v = m[at.field]
	}
	return v
}
