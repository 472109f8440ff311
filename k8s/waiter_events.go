package k8s

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// explainTime bounds how long is spent on finding words for what went wrong, and explained for how many objects.
	explainTime = 5 * time.Second
	explained   = 10
)

func isForbidden(err error) bool { return apierrors.IsForbidden(err) }

// explain completes what is said of the objects that failed or were not ready in time: with their Pods, where those
// were not looked at yet, and with the last warning the cluster has recorded about the Pod or the object.
func (w *waiter) explain(ctx context.Context, indexes []int) {
	ctx, cancel := context.WithTimeout(ctx, explainTime)
	defer cancel()
	byID := map[ID]*workload{}
	for _, wl := range w.work {
		byID[wl.id] = wl
	}
	for _, i := range indexes[:min(len(indexes), explained)] {
		id := w.x.actions[i].Item.ID
		r := w.x.results[i]
		about, text := w.uidOf(i), r.Message
		if wl := byID[id]; wl != nil {
			about = wl.uid
			if p := w.worstPod(ctx, wl); p != nil {
				about = p.uid
				text = withWords(text, "Pod "+p.name+": "+p.trouble.text)
			}
		}
		if about == "" || ctx.Err() != nil {
			continue
		}
		if event := w.lastWarning(ctx, id.Namespace, about); event != "" {
			text = withWords(text, event)
		}
		w.mu.Lock()
		w.say(i, r.Health, text)
		w.mu.Unlock()
	}
}

// withWords adds words that are not there already.
func withWords(text, more string) string {
	switch {
	case text == "":
		return more
	case more == "" || strings.Contains(text, oneLine(more)):
		return text
	}
	return text + "; " + more
}

// uidOf is the UID of the object that was applied, "" when it is not known.
func (w *waiter) uidOf(i int) types.UID {
	w.x.mu.Lock()
	defer w.x.mu.Unlock()
	return w.x.held[w.x.actions[i].Item.ID].UID
}

// worstPod is the Pod that says most about a workload; nil when there is none, or the trouble is that there is none.
func (w *waiter) worstPod(ctx context.Context, wl *workload) *podSeen {
	w.mu.Lock()
	p, refused := w.pods.worst(wl), w.refusalOf(wl)
	w.mu.Unlock()
	if p == nil && refused == nil {
		p = w.lookAtPods(ctx, wl)
	}
	return p
}

// lookAtPods lists the Pods of a workload that ended before they were followed.
func (w *waiter) lookAtPods(ctx context.Context, wl *workload) *podSeen {
	if wl.selector == "" {
		return nil
	}
	if wl.id.Kind == "Deployment" {
		if _, _, err := w.setsOf(wl.id.Namespace, wl.selector).list(ctx); err != nil {
			return nil
		}
	}
	if _, _, err := w.podsOf(wl.id.Namespace, wl.selector).list(ctx); err != nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pods.worst(wl)
}

// lastWarning is the newest event of type Warning about an object that says more than that something is tried
// again; "" when there is none or events may not be read.
func (w *waiter) lastWarning(ctx context.Context, namespace string, about types.UID) string {
	where := kind{version: "v1", resource: "events", namespaced: true}
	a, err := w.x.c.send(ctx, request{verb: http.MethodGet, path: where.collection(namespace), accept: acceptObject,
		params: map[string]string{"fieldSelector": "type=Warning,involvedObject.uid=" + string(about), "limit": "100"}})
	if err != nil {
		return ""
	}
	var list struct {
		Items []struct {
			Reason        string    `json:"reason"`
			Message       string    `json:"message"`
			LastTimestamp time.Time `json:"lastTimestamp"`
			EventTime     time.Time `json:"eventTime"`
			Metadata      struct {
				CreationTimestamp time.Time `json:"creationTimestamp"`
			} `json:"metadata"`
		} `json:"items"`
	}
	if json.Unmarshal(a.body, &list) != nil {
		return ""
	}
	best, newest, bestRank := "", time.Time{}, -1
	for _, e := range list.Items {
		at := e.Metadata.CreationTimestamp
		for _, t := range []time.Time{e.LastTimestamp, e.EventTime} {
			if t.After(at) {
				at = t
			}
		}
		rank := 1
		if e.Reason == "BackOff" || strings.HasPrefix(e.Message, "Error: ") {
			rank = 0
		}
		if rank > bestRank || rank == bestRank && !at.Before(newest) {
			best, newest, bestRank = joinWords(e.Reason, e.Message), at, rank
		}
	}
	return best
}
