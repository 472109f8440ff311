package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json" // keeps integers, which the health rules want
)

// pollEvery is how often single objects are read where the cluster forbids to watch them.
const pollEvery = 2 * time.Second

// sighting is the state of one object; object is nil when it is not there, and last is then what it was when it was
// deleted, where that was seen.
type sighting struct {
	id           ID
	object, last *unstructured.Unstructured
}

// follow reports the state of the given objects of one kind, at once and whenever it changes, until see returns
// true or ctx ends. It lists and then watches what carries the set's label, so an object that loses the label
// looks gone: the caller who minds reads it.
func (c *Cluster) follow(ctx context.Context, k kind, set Set, ids []ID, accept string, see func(sighting) bool) error {
	if len(ids) == 0 {
		return nil
	}
	f := &follower{c: c, k: k, ids: map[ID]bool{}, see: see, accept: accept, query: map[string]string{"labelSelector": ownerLabel + "=" + set.label()}}
	f.namespace = ids[0].Namespace
	for _, id := range ids {
		f.ids[id] = true
		if id.Namespace != f.namespace {
			f.namespace = ""
		}
	}
	if f.isNarrow() {
		return f.followEach(ctx, set)
	}
	err := f.run(ctx)
	switch {
	case apierrors.IsForbidden(err) && k.namespaced && f.namespace == "":
		c.narrow.note(k.collection(""))
		return f.followEach(ctx, set)
	case apierrors.IsForbidden(err), apierrors.IsMethodNotSupported(err):
		return f.poll(ctx)
	}
	return err
}

// run lists and watches, again and again, until see is satisfied, ctx ends or trying again cannot help.
func (f *follower) run(ctx context.Context) error {
	pause := 100 * time.Millisecond
	for {
		done, err := f.listAndWatch(ctx)
		switch {
		case done:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case apierrors.IsForbidden(err), apierrors.IsMethodNotSupported(err):
			return err
		case err != nil && !temporary(err) && !apierrors.IsNotFound(err) && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err):
			return f.c.wrap(explain(err, "watch "+f.k.resource, f.k.isSecret()))
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
	query     map[string]string // labelSelector, fieldSelector
	ids       map[ID]bool       // nil: all that the query selects
	namespace string            // of all of them, or "" when they are in several
	accept    string            // how one object is wanted: whole, or its metadata
	see       func(sighting) bool

	listing, listed func() // called before and after a list is reported; either may be nil
}

// listAndWatch returns true when see was satisfied, and an error when the watch cannot go on from where it was.
func (f *follower) listAndWatch(ctx context.Context) (bool, error) {
	version, done, err := f.list(ctx)
	if done || err != nil {
		return done, err
	}
	for {
		done, last, err := f.watch(ctx, version)
		if done || err != nil || last == "" || ctx.Err() != nil {
			return done, err
		}
		if last == version { // ended with nothing new: do not spin
			return false, nil
		}
		version = last
	}
}

// list reports what is there, page by page, then which of the ids are not.
func (f *follower) list(ctx context.Context) (version string, done bool, err error) {
	if f.listing != nil {
		f.listing()
	}
	found := map[ID]bool{}
	params := maps.Clone(f.query)
	params["limit"] = "500"
	accept := f.accept
	if accept == acceptMetadata {
		accept = acceptList
	}
	for {
		a, err := f.c.send(ctx, request{verb: http.MethodGet, path: f.k.collection(f.namespace), accept: accept, params: params})
		if err != nil {
			return "", false, err
		}
		var page struct {
			Metadata struct {
				ResourceVersion string `json:"resourceVersion"`
				Continue        string `json:"continue"`
			} `json:"metadata"`
			Items []map[string]any `json:"items"`
		}
		if err := utiljson.Unmarshal(a.body, &page); err != nil {
			return "", false, errors.New("read the list of " + f.k.resource + ": not what was asked for")
		}
		for _, content := range page.Items {
			o := f.object(content)
			id := f.id(o)
			if !f.wants(id) {
				continue
			}
			if f.ids != nil {
				found[id] = true
			}
			if f.see(sighting{id: id, object: o}) {
				return "", true, nil
			}
		}
		if page.Metadata.Continue == "" {
			version = page.Metadata.ResourceVersion
			break
		}
		params["continue"] = page.Metadata.Continue
	}
	for id := range f.ids {
		if !found[id] && f.see(sighting{id: id}) {
			return "", true, nil
		}
	}
	if f.listed != nil {
		f.listed()
	}
	return version, false, nil
}

func (f *follower) wants(id ID) bool { return f.ids == nil || f.ids[id] }

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
func (f *follower) watch(ctx context.Context, version string) (bool, string, error) {
	req := f.c.rest.Get().AbsPath(f.k.collection(f.namespace)).SetHeader("Accept", f.accept).
		Param("watch", "true").Param("resourceVersion", version).
		Param("allowWatchBookmarks", "true").Param("timeoutSeconds", "300")
	for key, v := range f.query {
		req = req.Param(key, v)
	}
	stream, err := req.Stream(quiet(ctx))
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
		if event.Type == "BOOKMARK" || !f.wants(f.id(o)) {
			continue
		}
		s := sighting{id: f.id(o), object: o}
		if event.Type == "DELETED" {
			s.object, s.last = nil, o
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
