package drift

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/k8s"
)

// uidField is the field that tells an object from another one of the same name.
const uidField = "metadata.uid"

// maxValue is the most bytes of a value, as JSON, that a finding repeats.
const maxValue = 4096

// Kubernetes says what a comparison with a cluster finds, sorted by address. An object that is changed and does not work has two
// findings. What differs only because the files have moved on is undeployed. No value of a Secret is in a finding. Objects that the
// report calls unseen are in none: what was known of them before still stands. The severity is the usual one, see [Grade].
func Kubernetes(r k8s.DriftReport, key []byte) []Finding {
	var found []Finding
	for _, o := range r.Objects {
		if o.State != k8s.DriftNone {
			found = append(found, outOfBand(o))
		}
		if o.Health != "" {
			found = append(found, Finding{Address: o.Ref, Kind: kindOf(o.ID), Class: Unhealthy, Change: Broken, Action: "none",
				Message: joinNonEmpty(": ", string(o.Health), o.Message)})
		}
	}
	for _, item := range r.Undeployed {
		found = append(found, Finding{Address: item.Ref(), Kind: kindOf(item.ID), Class: Undeployed, Change: Changed, Action: "update"})
	}
	for i := range found {
		found[i].Seal(key)
		for k := range found[i].Fields {
			found[i].Fields[k].Bound()
		}
	}
	Grade(found, nil)
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Class, b.Class))
	})
	return found
}

func outOfBand(o k8s.ObjectDrift) Finding {
	f := Finding{Address: o.Ref, Kind: kindOf(o.ID), Class: OutOfBand, Change: Changed, Action: "update", Message: o.Note}
	switch o.State {
	case k8s.DriftDeleted:
		f.Change, f.Action = Deleted, "create"
	case k8s.DriftDeleting:
		f.Change, f.Action = Deleted, "create"
		f.Message = "its deletion has begun"
		if o.Since != nil {
			f.Message += " at " + o.Since.UTC().Format(time.RFC3339)
		}
		if len(o.Finalizers) > 0 {
			f.Message += " and waits for " + strings.Join(o.Finalizers, ", ")
		}
	case k8s.DriftRecreated:
		f.Message = joinNonEmpty("; ", "it was deleted and made again by somebody else", o.Note)
		f.Fields = append(f.Fields, Field{Path: uidField, Old: string(o.WasUID), New: string(o.UID)})
	}
	for _, d := range o.Fields {
		f.Fields = append(f.Fields, fieldOf(d))
	}
	return f
}

func fieldOf(d k8s.FieldDrift) Field {
	f := Field{Path: d.Path, Old: d.Wanted, New: d.Live, Secret: d.Secret, Digest: d.Digest, By: d.By, At: d.At}
	if d.Secret {
		f.Old, f.New = nil, nil
	}
	if d.By != "" && d.Sub != "" {
		f.By += " (" + d.Sub + ")"
	}
	return f
}

// remade tells an object that is another one than before.
func remade(f Finding) bool {
	return slices.ContainsFunc(f.Fields, func(x Field) bool { return x.Path == uidField })
}

// kindOf is apps/Deployment, or ConfigMap of the core group.
func kindOf(id k8s.ID) string { return joinNonEmpty("/", id.Group, id.Kind) }

// Bound puts what there is to say of values in their place that are too long to be repeated. Different ones stay different.
func (f *Field) Bound() {
	for _, v := range []*any{&f.Old, &f.New} {
		raw, err := json.Marshal(*v)
		if err == nil && len(raw) > maxValue {
			*v, f.Cut = fmt.Sprintf("(%d bytes, sha256 %x)", len(raw), sha256.Sum256(raw)), true
		}
	}
}

func joinNonEmpty(sep string, texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(t string) bool { return t == "" }), sep)
}
