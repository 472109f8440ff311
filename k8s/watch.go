package k8s

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
)

// firstSight bounds how long a new watch may take to show what is there; after it, lists are used.
const firstSight = 10 * time.Second

// watches keep what a cluster says of all objects with our label, by one watch of metadata a kind, so that looking
// at them costs no request. They live as long as the connection. The zero value watches nothing.
type watches struct {
	client metadata.Interface // nil: do not watch
	lost   func()             // called when the server does not answer a watch
	ctx    context.Context
	stop   context.CancelFunc

	mu     sync.Mutex          // guards byKind
	byKind map[string]*watched // by collection of the kind
}

func newWatches(client metadata.Interface, lost func()) *watches {
	ctx, stop := context.WithCancel(quiet(context.Background()))
	return &watches{client: client, lost: lost, ctx: ctx, stop: stop, byKind: map[string]*watched{}}
}

func (w *watches) on() bool { return w != nil && w.client != nil && w.ctx.Err() == nil }

// end stops them all. Who looks afterwards is told that they are off.
func (w *watches) end() {
	if w != nil {
		w.stop()
	}
}

// of returns the watch of a kind, which it starts at the first time. selector is of labels; "" takes every object.
func (w *watches) of(k kind, selector string) *watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	if seen := w.byKind[k.collection("")]; seen != nil {
		return seen
	}
	seen := newWatched(w.ctx, k)
	w.byKind[k.collection("")] = seen
	resource := w.client.Resource(schema.GroupVersionResource{Group: k.group, Version: k.version, Resource: k.resource})
	lists := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = selector
			list, err := resource.List(ctx, o)
			if err != nil {
				w.lost()
				seen.lose(err)
			}
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = selector
			events, err := resource.Watch(ctx, o)
			if err != nil {
				w.lost()
				seen.lose(err)
			}
			return events, err
		},
	}
	reflector := cache.NewReflectorWithOptions(lists, &metav1.PartialObjectMetadata{}, seen, cache.ReflectorOptions{Name: "mooring", TypeDescription: k.resource})
	go reflector.RunWithContext(seen.ctx)
	return seen
}

// look is what is there of a kind and wanted. The error says why the watch cannot tell; a list may.
func (w *watches) look(ctx context.Context, k kind, selector string, wanted func(ID, Live) bool) (map[ID]Live, error) {
	all, err := w.of(k, selector).all(ctx, wanted)
	if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
		w.drop(k) // the kind may come back
	}
	return all, err
}

// drop ends the watch of a kind, so that the next look begins anew.
func (w *watches) drop(k kind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if seen := w.byKind[k.collection("")]; seen != nil {
		seen.end()
		delete(w.byKind, k.collection(""))
	}
}

// wrote takes in what the server answered to a write, before the watch shows it.
func (w *watches) wrote(k kind, id ID, live Live) {
	if !w.on() {
		return
	}
	w.mu.Lock()
	seen := w.byKind[k.collection("")]
	w.mu.Unlock()
	if seen != nil {
		seen.wrote(id, live)
	}
}

// watched is what one watch has shown so far.
type watched struct {
	kind kind
	ctx  context.Context
	end  context.CancelFunc

	mu    sync.Mutex // guards the fields below
	known bool       // all that was there has been shown once
	lost  error      // why the watch does not follow the cluster; nil again once the server has said how far it has come
	live  map[ID]Live
	// newest is the version that the watch has come to: all that happened until then has been shown.
	newest string
	first  chan struct{} // closed when known or lost for the first time
}

func newWatched(ctx context.Context, k kind) *watched {
	s := &watched{kind: k, live: map[ID]Live{}, first: make(chan struct{})}
	s.ctx, s.end = context.WithCancel(ctx)
	return s
}

// all is a copy of what is there and wanted.
func (s *watched) all(ctx context.Context, wanted func(ID, Live) bool) (map[ID]Live, error) {
	late := time.NewTimer(firstSight)
	defer late.Stop()
	select {
	case <-s.first:
	case <-late.C:
		return nil, fmt.Errorf("the watch of %s shows nothing after %s", s.kind.resource, firstSight)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.lost != nil:
		return nil, s.lost
	case !s.known: // lost at first, and following now
		return nil, fmt.Errorf("the watch of %s has not shown everything yet", s.kind.resource)
	}
	all := map[ID]Live{}
	for id, live := range s.live {
		if wanted(id, live) {
			all[id] = live
		}
	}
	return all, nil
}

func (s *watched) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = err
	s.told()
	if apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err) || apierrors.IsNotFound(err) {
		s.end() // trying again would only make noise; lists are used instead
	}
}

func (s *watched) told() {
	select {
	case <-s.first:
	default:
		close(s.first)
	}
}
