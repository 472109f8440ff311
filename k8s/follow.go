package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json" // keeps integers, which the health rules want
)

// pollEvery is how often single objects are read where the cluster forbids to watch them.
const pollEvery = 2 * time.Second

// sighting is the state of one object; Object is nil when it is not there.
type sighting struct {
	id     ID
	object *unstructured.Unstructured
}

// follow reports the state of the given objects of one kind, at once and whenever it changes, until see returns
// true or ctx ends. It lists and then watches what carries the set's label, so an object that loses the label
// looks gone: the caller who minds reads it.
func (c *Cluster) follow(ctx context.Context, k kind, set Set, ids []ID, accept string, see func(sighting) bool) error {
	if len(ids) == 0 {
		return nil
	}
	f := &follower{c: c, k: k, set: set, ids: map[ID]bool{}, see: see, accept: accept}
	f.namespace = ids[0].Namespace
	for _, id := range ids {
		f.ids[id] = true
		if id.Namespace != f.namespace {
			f.namespace = ""
		}
	}
	pause := 100 * time.Millisecond
	for {
		done, err := f.listAndWatch(ctx)
		switch {
		case done:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case apierrors.IsForbidden(err), apierrors.IsMethodNotSupported(err):
			return f.poll(ctx)
		case err != nil && !temporary(err) && !apierrors.IsNotFound(err) && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err):
			return c.wrap(explain(err, "watch "+k.resource, k.isSecret()))
		case err != nil:
			pause = min(2*pause, 5*time.Second)
		default:
			pause = 100 * time.Millisecond
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

type follower struct {
	c         *Cluster
	k         kind
	set       Set
	ids       map[ID]bool
	namespace string // of all of them, or "" when they are in several
	accept    string // how one object is wanted: whole, or its metadata
	see       func(sighting) bool
}

// listAndWatch returns true when see was satisfied, and an error when the watch cannot go on from where it was.
func (f *follower) listAndWatch(ctx context.Context) (bool, error) {
	selector := ownerLabel + "=" + f.set.label()
	version, items, err := f.list(ctx, selector)
	if err != nil {
		return false, err
	}
	for id := range f.ids {
		if f.see(sighting{id, items[id]}) {
			return true, nil
		}
	}
	clear(items)
	for {
		done, last, err := f.watch(ctx, selector, version)
		if done || err != nil || last == "" || ctx.Err() != nil {
			return done, err
		}
		if last == version { // ended with nothing new: do not spin
			return false, nil
		}
		version = last
	}
}

func (f *follower) list(ctx context.Context, selector string) (string, map[ID]*unstructured.Unstructured, error) {
	items := map[ID]*unstructured.Unstructured{}
	params := map[string]string{"labelSelector": selector, "limit": "500"}
	accept := f.accept
	if accept == acceptMetadata {
		accept = acceptList
	}
	for {
		a, err := f.c.send(ctx, request{verb: http.MethodGet, path: f.k.collection(f.namespace), accept: accept, params: params})
		if err != nil {
			return "", nil, err
		}
		var page struct {
			Metadata struct {
				ResourceVersion string `json:"resourceVersion"`
				Continue        string `json:"continue"`
			} `json:"metadata"`
			Items []map[string]any `json:"items"`
		}
		if err := utiljson.Unmarshal(a.body, &page); err != nil {
			return "", nil, errors.New("read the list of " + f.k.resource + ": not what was asked for")
		}
		for _, content := range page.Items {
			if o := f.object(content); f.ids[f.id(o)] {
				items[f.id(o)] = o
			}
		}
		if page.Metadata.Continue == "" {
			return page.Metadata.ResourceVersion, items, nil
		}
		params["continue"] = page.Metadata.Continue
	}
}

// object gives list items the kind that a list leaves out.
func (f *follower) object(content map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: content}
	o.SetAPIVersion(Item{ID: ID{Group: f.k.group}, Version: f.k.version}.apiVersion())
	o.SetKind(f.k.kind)
	o.SetManagedFields(nil)
	return o
}

func (f *follower) id(o *unstructured.Unstructured) ID {
	return ID{Group: f.k.group, Kind: f.k.kind, Namespace: o.GetNamespace(), Name: o.GetName()}
}

// watch follows changes after version and returns the last version seen.
func (f *follower) watch(ctx context.Context, selector, version string) (bool, string, error) {
	stream, err := f.c.rest.Get().AbsPath(f.k.collection(f.namespace)).SetHeader("Accept", f.accept).
		Param("watch", "true").Param("labelSelector", selector).Param("resourceVersion", version).
		Param("allowWatchBookmarks", "true").Param("timeoutSeconds", "300").Stream(quiet(ctx))
	if err != nil {
		return false, version, err
	}
	defer stream.Close()
	dec := json.NewDecoder(stream)
	for {
		var event struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := dec.Decode(&event); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return false, version, nil
			}
			return false, version, err
		}
		if event.Type == "ERROR" {
			return false, "", nil // the version is too old: list again
		}
		var content map[string]any
		if err := utiljson.Unmarshal(event.Object, &content); err != nil {
			return false, "", nil
		}
		o := f.object(content)
		version = o.GetResourceVersion()
		if event.Type == "BOOKMARK" || !f.ids[f.id(o)] {
			continue
		}
		s := sighting{f.id(o), o}
		if event.Type == "DELETED" {
			s.object = nil
		}
		if f.see(s) {
			return true, version, nil
		}
	}
}

// poll reads the objects one by one, where lists and watches are forbidden.
func (f *follower) poll(ctx context.Context) error {
	for {
		for id := range f.ids {
			a, err := f.c.send(ctx, request{verb: http.MethodGet, path: f.k.object(id.Namespace, url.PathEscape(id.Name)), accept: f.accept})
			s := sighting{id: id}
			switch {
			case err == nil:
				var content map[string]any
				if utiljson.Unmarshal(a.body, &content) != nil {
					continue
				}
				s.object = f.object(content)
			case !apierrors.IsNotFound(err):
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				return f.c.wrap(explain(err, "read "+f.k.resource, f.k.isSecret()))
			}
			if f.see(s) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
}
