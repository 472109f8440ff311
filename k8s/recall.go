package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// recall finds what the set holds in the cluster when nothing is known of it: its first apply, or the first one after Mooring lost
// its data. Every kind that can be listed is asked for objects with the set's label. A label alone is no proof, since controllers copy
// labels to what they make: the fields must be ours, too. Even then another Mooring may have made them: see Item.Recalled.
func (x *execution) recall(ctx context.Context) error {
	if len(x.inv.Items) > 0 {
		return nil
	}
	var mu sync.Mutex // guards found and uids
	found, uids := map[ID]Item{}, map[types.UID]bool{}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, k := range x.p.kinds.preferred {
		if k.fresh || !slices.Contains(k.verbs, "list") || !slices.Contains(k.verbs, "delete") {
			continue
		}
		group.Go(func() error {
			items, err := x.labelled(gctx, k)
			mu.Lock()
			defer mu.Unlock()
			for _, item := range items {
				item.Recalled = !x.opts.Ours
				if !uids[item.UID] { // one object may show through two groups
					uids[item.UID], found[item.ID] = true, item
				}
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	x.inv = x.inv.with(found)
	for id, item := range found {
		x.held[id] = item
	}
	return nil
}

// labelledIn lists the objects of a kind that carry the set's label and fields of ours, in one namespace or, with "", in all. None
// where that is forbidden, which is noted.
func (c *Cluster) labelledIn(ctx context.Context, k kind, namespace string, set Set) ([]Item, error) {
	var items []Item
	params := map[string]string{"labelSelector": ownerLabel + "=" + set.label(), "limit": "500"}
	for {
		a, err := c.send(ctx, request{verb: http.MethodGet, path: k.collection(namespace), accept: acceptList, params: params})
		switch {
		case apierrors.IsForbidden(err):
			c.narrow.note(k.collection(namespace))
			return items, nil
		case apierrors.IsNotFound(err), apierrors.IsMethodNotSupported(err), apierrors.IsServiceUnavailable(err):
			return items, nil
		case err != nil:
			return items, c.wrap(explain(err, "list "+k.resource, k.isSecret()))
		}
		var page metav1.PartialObjectMetadataList
		if err := json.Unmarshal(a.body, &page); err != nil {
			return items, errors.New("read the list of " + k.resource + ": not what was asked for")
		}
		for i := range page.Items {
			m := &page.Items[i]
			if live := liveOf(m); live.Managed != "" && m.Annotations[ownerLabel] == set.ID {
				items = append(items, Item{ID: ID{Group: k.group, Kind: k.kind, Namespace: m.Namespace, Name: m.Name}, Version: k.version, UID: m.UID})
			}
		}
		if page.Continue == "" {
			return items, nil
		}
		params["continue"] = page.Continue
	}
}
