package k8s

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/mooring-iac/mooring/k8s/rules"
)

// healthFew is up to how many objects of a kind are read one by one rather than listed.
const healthFew = 3

// vitals remember what was seen of objects' health, so that what has not moved since is not read again. The zero value is ready.
type vitals struct {
	mu  sync.Mutex              // guards set
	set map[string]map[ID]vital // by the set's ID
}

// vital is one object's health when it was looked at last.
type vital struct {
	version string      // resourceVersion that was Current; "" where it was not
	rule    *rules.Rule // that said so; nil for the built-in ones
	ill     time.Time   // since when it has not been Current at any look; zero where it was
}

func (v *vitals) of(set string) map[ID]vital {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.set[set] // never written to once it is there
}

func (v *vitals) put(set string, all map[ID]vital) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.set == nil {
		v.set = map[string]map[ID]vital{}
	}
	v.set[set] = all
}

// checkHealth finds the objects that do not work. What was healthy and has the same version still is, at no request.
func (s *driftScan) checkHealth(ctx context.Context) {
	was, is := s.c.vitals.of(s.set.ID), make(map[ID]vital, len(s.found))
	defer func() { s.c.vitals.put(s.set.ID, is) }()
	waiting := map[string][]int{}
	for i := range s.found {
		if !s.hasVitals(i) {
			continue
		}
		id := s.found[i].ID
		if v := was[id]; s.live[i] == nil && v.version != "" && v.version == s.observed.Live[id].ResourceVersion && v.rule == s.rule(i) {
			is[id] = v
			continue
		}
		if s.live[i] == nil {
			address := s.p.kind[i].collection("")
			waiting[address] = append(waiting[address], i)
		}
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, indexes := range waiting {
		group.Go(func() error { s.readAll(gctx, indexes); return nil })
	}
	_ = group.Wait() // errors are in the slots
	mask := masker(s.p.objects)
	for i := range s.found {
		id := s.found[i].ID
		if v, known := was[id]; known && s.errs[i] != nil {
			is[id] = v // nothing was learnt
		}
		if _, known := is[id]; known || !s.hasVitals(i) || s.live[i] == nil || s.errs[i] != nil {
			continue
		}
		is[id] = s.judge(i, was[id], mask)
	}
}

// hasVitals tells whether an object has a health to look at.
func (s *driftScan) hasVitals(i int) bool {
	d, o := s.p.desired[i], s.p.objects[i]
	switch s.found[i].State {
	case DriftDeleted, DriftDeleting:
		return false
	}
	return s.verbs[i] != VerbSkip && s.errs[i] == nil && d.Order.Stage != stageCRD && (hasHealth(d.Item) || s.rule(i) != nil) &&
		o.GetAnnotations()[healthAnnotation] != "none"
}

func (s *driftScan) rule(i int) *rules.Rule {
	item := s.p.desired[i].Item
	return s.set.Health.For(item.Group, item.Kind)
}

// judge says how an object does. One that is in progress is not called ill before an apply would give up waiting for it.
func (s *driftScan) judge(i int, was vital, mask *strings.Replacer) vital {
	o := &unstructured.Unstructured{Object: s.live[i]}
	health, message := healthOf(o, s.set.Health)
	if health == HealthCurrent || o.GetAnnotations()[healthAnnotation] == "none" {
		return vital{version: o.GetResourceVersion(), rule: s.rule(i)}
	}
	now := s.c.now()
	ill, moved := was.ill, lastMoved(o)
	if ill.IsZero() {
		ill = now
	}
	if moved.After(now) { // the clocks differ
		moved = now
	}
	since := ill
	if moved.Before(since) {
		since = moved
	}
	if health == HealthFailed || health == HealthInProgress && now.Sub(since) >= s.set.timeout() {
		f := &s.found[i]
		f.Health, f.Message = health, oneLine(mask.Replace(message))
		if s.p.objects[i].sensitive || s.p.objects[i].isSecret() {
			f.Message = ""
		}
		since = since.UTC()
		f.Since = &since
	}
	return vital{ill: ill}
}

// lastMoved is when something about an object has last become other than it was: a condition, or else its status; or what is asked of it.
func lastMoved(o *unstructured.Unstructured) time.Time {
	last := o.GetCreationTimestamp().Time
	later := func(t time.Time) {
		if t.After(last) {
			last = t
		}
	}
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range list {
		m, _ := c.(map[string]any)
		text, _ := m["lastTransitionTime"].(string)
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			later(t)
		}
	}
	for _, e := range o.GetManagedFields() {
		if e.Time != nil && (e.Subresource != "status" || len(list) == 0) {
			later(e.Time.Time)
		}
	}
	return last
}

// readAll reads objects of one kind: by a list where they are many, else, and where that is forbidden, one by one.
func (s *driftScan) readAll(ctx context.Context, indexes []int) {
	if len(indexes) > healthFew {
		listed, err := s.listAll(ctx, indexes)
		if err != nil && !apierrors.IsForbidden(err) {
			k := s.p.kind[indexes[0]]
			for _, i := range indexes {
				s.errs[i] = objectError(s.p.objects[i], s.c.wrap(explain(err, "list "+k.resource, k.isSecret())))
			}
			return
		}
		var rest []int
		for _, i := range indexes {
			if s.live[i] = listed[s.found[i].ID]; s.live[i] == nil {
				rest = append(rest, i)
			}
		}
		indexes = rest
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, i := range indexes {
		group.Go(func() error {
			live, err := s.c.read(gctx, s.p, i)
			switch {
			case err != nil:
				s.errs[i] = objectError(s.p.objects[i], err)
			case live == nil && !s.p.desired[i].Expires: // gone since the look
				s.found[i].State = DriftDeleted
			}
			s.live[i] = live
			return nil
		})
	}
	_ = group.Wait() // errors are in the slots
}

// listAll reads the objects of a kind that carry the set's label, page by page.
func (s *driftScan) listAll(ctx context.Context, indexes []int) (map[ID]map[string]any, error) {
	k, namespace := s.p.kind[indexes[0]], s.found[indexes[0]].ID.Namespace
	wanted := map[ID]bool{}
	for _, i := range indexes {
		id := s.found[i].ID
		if wanted[id] = true; id.Namespace != namespace {
			namespace = ""
		}
	}
	f := follower{c: s.c, k: k} // names what a list leaves out
	all := map[ID]map[string]any{}
	params := map[string]string{"labelSelector": ownerLabel + "=" + s.set.label(), "limit": "500"}
	for {
		a, err := s.c.send(ctx, request{verb: http.MethodGet, path: k.collection(namespace), accept: acceptObject, params: params})
		if err != nil {
			return nil, err
		}
		var page struct {
			Metadata struct {
				Continue string `json:"continue"`
			} `json:"metadata"`
			Items []map[string]any `json:"items"`
		}
		if err := utiljson.Unmarshal(a.body, &page); err != nil {
			return nil, err
		}
		for _, content := range page.Items {
			fields, _ := content["metadata"].(map[string]any)
			managed := fields["managedFields"]
			o := f.object(content)
			if id := f.id(o); wanted[id] {
				if all[id] = o.Object; managed != nil { // they tell when it has moved
					o.Object["metadata"].(map[string]any)["managedFields"] = managed
				}
			}
		}
		if page.Metadata.Continue == "" {
			return all, nil
		}
		params["continue"] = page.Metadata.Continue
	}
}
