package k8s

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
)

// maxObject is the most bytes of JSON that are sent of one object: etcd refuses what is larger, but only at the write, which
// would be in the middle of a set.
const maxObject = 1536 * 1024

// prepared is a set of objects made ready to be sent.
type prepared struct {
	set     Set
	kinds   *kinds
	objects []Object  // namespaces filled in, owner marks set
	desired []Desired // beside objects
	kind    []kind    // beside objects
	body    [][]byte  // beside objects: what is sent
}

// prepare finds the objects' kinds, fills in what the manifests leave to the set, and marks them as ours. The
// errors join one *ObjectError for each faulty object; nothing has been written then.
func (c *Cluster) prepare(ctx context.Context, set Set, objects []Object, held []Item) (*prepared, error) {
	if set.ID == "" {
		return nil, errors.New("a set needs an ID: it is what marks objects as its own")
	}
	known, err := c.kindsFor(ctx, objects, held)
	if err != nil {
		return nil, err
	}
	p := &prepared{set: set, kinds: known}
	var errs []error
	first := map[ID]Object{}
	for _, o := range objects {
		k, ok := known.by[o.gvk()]
		if !ok {
			errs = append(errs, objectError(o, unknownKind(known, o)))
			continue
		}
		if !slices.Contains(k.verbs, "patch") {
			errs = append(errs, objectError(o, fmt.Errorf("a %s cannot be applied: the cluster offers only %v for it", o.GetKind(), k.verbs)))
			continue
		}
		written := o
		o.Unstructured = o.DeepCopy()
		strip(o, k)
		if err := set.place(o, k); err != nil {
			errs = append(errs, objectError(o, err))
			continue
		}
		if f, twice := first[o.ID()]; twice {
			errs = append(errs, duplicate(o, f))
			continue
		}
		first[o.ID()] = o
		if err := nameFault(o, k); err != nil {
			errs = append(errs, objectError(o, err))
			continue
		}
		if err := set.allowanceFault(o, written); err != nil {
			errs = append(errs, objectError(o, err))
			continue
		}
		if err := p.add(o, k); err != nil {
			errs = append(errs, objectError(o, err))
		}
	}
	return p, errors.Join(errs...)
}

func (p *prepared) add(o Object, k kind) error {
	labels, annotations := o.GetLabels(), o.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	labels[ownerLabel] = p.set.label()
	annotations[ownerLabel] = p.set.ID
	o.SetLabels(labels)
	o.SetAnnotations(annotations)
	body, err := json.Marshal(o.Object)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	if len(body) > maxObject {
		return fmt.Errorf("%w: %.1f MB as JSON, and a cluster keeps at most 1.5; split it, or keep what is large elsewhere", ErrTooLarge, float64(len(body))/1e6)
	}
	d := Desired{Item: Item{ID: o.ID(), Version: k.version}}
	if !o.unknown {
		d.Hash = p.set.hash(body, o.isSecret() || o.sensitive)
	}
	if d.Order, err = orderOf(o, d.Item); err != nil {
		return err
	}
	_, d.Expires, _ = unstructured.NestedFieldNoCopy(o.Object, "spec", "ttlSecondsAfterFinished")
	p.objects, p.desired = append(p.objects, o), append(p.desired, d)
	p.kind, p.body = append(p.kind, k), append(p.body, body)
	return nil
}

// strip removes what only a server writes, so that manifests exported from a cluster can be applied, and turns
// a Secret's stringData into data: the server does so too, but forgets then which keys were ours to remove.
func strip(o Object, k kind) {
	meta, _ := o.Object["metadata"].(map[string]any)
	for _, field := range []string{"managedFields", "creationTimestamp", "resourceVersion", "uid", "selfLink", "generation"} {
		delete(meta, field)
	}
	if isBuiltIn(k.group) {
		delete(o.Object, "status")
	}
	if !k.namespaced {
		delete(meta, "namespace")
	}
	text, _ := o.Object["stringData"].(map[string]any)
	if !o.isSecret() || text == nil {
		return
	}
	data, _ := o.Object["data"].(map[string]any)
	if data == nil {
		data = map[string]any{}
	}
	for key, v := range text {
		s, _ := v.(string)
		data[key] = base64.StdEncoding.EncodeToString([]byte(s))
	}
	delete(o.Object, "stringData")
	o.Object["data"] = data
}

func unknownKind(known *kinds, o Object) error {
	gvk := o.gvk()
	if slices.Contains(known.stale, gvk.Group) {
		return fmt.Errorf("%w: the API service for %s does not answer", ErrUnknownKind, gvk.Group)
	}
	if other, ok := known.preferred[gvk.GroupKind()]; ok {
		return fmt.Errorf("%w in version %s; it serves %s", ErrUnknownKind, gvk.Version, other.version)
	}
	var others []string
	for gk, k := range known.preferred {
		if gk.Kind == gvk.Kind && isBuiltIn(gk.Group) {
			others = append(others, Item{ID: ID{Group: gk.Group}, Version: k.version}.apiVersion())
		}
	}
	if len(others) > 0 {
		return fmt.Errorf("%w in %s; it serves it as %s", ErrUnknownKind, o.GetAPIVersion(), slices.Min(others))
	}
	return fmt.Errorf("%w, and no CustomResourceDefinition of the set defines it", ErrUnknownKind)
}

// nameFault checks names by the rules of their kinds, because they are part of the address a request goes to.
func nameFault(o Object, k kind) error {
	invalid := func(path []string, problems []string) error {
		if len(problems) == 0 {
			return nil
		}
		return &InvalidError{Ref: o.Ref(), File: o.File, Line: o.Line, Fields: []FieldError{{
			Path: fieldPath(path), Line: o.lineOf(path), Message: fmt.Sprintf("%q: %s", valueAt(o, path), problems[0])}}}
	}
	namePath := []string{"metadata", "name"}
	var problems []string
	switch {
	case k.group == "rbac.authorization.k8s.io":
		// Any path segment will do here: system:node and the like.
		if n := o.GetName(); n == "." || n == ".." || strings.ContainsAny(n, "/%") {
			problems = []string{`a name may not be "." or ".." and may not contain "/" or "%"`}
		}
	case k.group == "" && k.kind == "Namespace":
		problems = validation.IsDNS1123Label(o.GetName())
	case k.group == "" && k.kind == "Service":
		problems = validation.IsDNS1035Label(o.GetName())
	default:
		problems = validation.IsDNS1123Subdomain(o.GetName())
	}
	if err := invalid(namePath, problems); err != nil {
		return err
	}
	if k.namespaced {
		if err := invalid([]string{"metadata", "namespace"}, validation.IsDNS1123Label(o.GetNamespace())); err != nil {
			return err
		}
	}
	for key, v := range o.GetLabels() {
		if o.unknown && strings.Contains(v, afterApply) {
			continue
		}
		if err := invalid([]string{"metadata", "labels", key}, append(validation.IsQualifiedName(key), validation.IsValidLabelValue(v)...)); err != nil {
			return err
		}
	}
	return nil
}

func valueAt(o Object, path []string) any {
	var v any = o.Object
	for _, step := range path {
		m, _ := v.(map[string]any)
		v = m[step]
	}
	return v
}

// checkSchemas validates the objects at the given indexes against what the server publishes.
func (c *Cluster) checkSchemas(ctx context.Context, p *prepared, indexes []int, observed map[ID]Live) error {
	if len(indexes) == 0 {
		return nil
	}
	docs := c.schemasFor(ctx, p.objects)
	var errs []error
	for _, i := range indexes {
		o := p.objects[i]
		doc := docs[o.gvk().GroupVersion()]
		if doc == nil || o.unknown { // the mark may stand where a number belongs
			continue
		}
		if faults := doc.validate(o, observed[o.ID()].Found); len(faults) > 0 {
			errs = append(errs, objectError(o, &InvalidError{Ref: o.Ref(), File: o.File, Line: o.Line, Fields: faults}))
		}
	}
	return errors.Join(errs...)
}
