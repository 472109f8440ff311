package k8s

import (
	"context"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// patience is how long trouble may last before it fails a set.
type patience struct {
	look   time.Duration // before the Pods of what is in progress are looked at: most is ready by then
	start  time.Duration // for an image to be pulled, a ConfigMap to appear: things that recover by themselves
	create time.Duration // for Pods to be admitted: a quota may be freed, a service account be made
}

// defaultPatience outlives the kubelet's first retry of a pull, after ten seconds, and a few of a controller's.
func defaultPatience() patience {
	return patience{look: time.Second, start: 15 * time.Second, create: 10 * time.Second}
}

// waiter judges the objects that are waited for, by what is seen of them and of their Pods.
type waiter struct {
	x       *execution
	ctx     context.Context // ends with the wait
	fail    func()          // ends the wait: one has failed, and the others cannot make the set whole
	slot    map[ID]int      // indexes of actions and results; not changed once the wait goes on
	patient patience
	mending bool // this run has changed something: trouble from before it may be over soon

	mu      sync.Mutex // guards the fields below, and health and message of the results
	mask    *strings.Replacer
	said    map[int]string
	notes   map[int]string          // what the apply had to say of an object
	work    map[types.UID]*workload // in progress
	base    map[ID]string           // what a workload says itself
	pods    *podIndex
	alone   map[types.UID]*podSeen // Pods that are in the set themselves
	refused map[types.UID]*refusal // by what could not make its Pods
	classes map[string]bool        // storage classes: whether they bind only when a Pod comes
	timers  []*time.Timer
	ended   bool
	more    chan struct{} // tells that a workload came into work
}

func newWaiter(x *execution, ctx context.Context, fail func()) *waiter {
	w := &waiter{x: x, ctx: ctx, fail: fail, slot: map[ID]int{}, patient: x.c.patience, said: map[int]string{}, notes: map[int]string{},
		work: map[types.UID]*workload{}, base: map[ID]string{}, pods: newPodIndex(), alone: map[types.UID]*podSeen{}, refused: map[types.UID]*refusal{},
		classes: map[string]bool{}, more: make(chan struct{}, 1)}
	for i, r := range x.results {
		if r.Message != "" {
			w.notes[i] = r.Message
		}
		w.mending = w.mending || r.Action == Created || r.Action == Configured || r.Action == Recreated
	}
	return w
}

// see takes in a new state of an object and returns its health before and now.
func (w *waiter) see(s sighting) (was, is Health) {
	i := w.slot[s.id]
	h, m := w.healthOf(s, i)
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &w.x.results[i]
	if was = r.Health; was == HealthFailed {
		return was, was // the wait is ending
	}
	builtIn := s.object != nil && h == HealthInProgress && w.x.set.Health.For(s.id.Group, s.id.Kind) == nil
	if s.object != nil && isWorkload(s.id) {
		w.note(s.id, s.object, h, m)
	}
	switch {
	case builtIn && isWorkload(s.id):
		r.Health = h
		w.judge(s.object.GetUID())
	case builtIn && s.id.Group == "" && s.id.Kind == "Pod":
		r.Health = h
		w.judgePod(i, s.object)
	default:
		w.say(i, h, m)
	}
	if r.Health == HealthFailed {
		w.fail()
	}
	return was, r.Health
}

// healthOf is the health of one object, with what the object alone does not tell.
func (w *waiter) healthOf(s sighting, i int) (Health, string) {
	h, m := healthOf(s.object, w.x.set.Health)
	switch {
	case s.id.Group == "batch" && s.id.Kind == "Job" && s.object == nil:
		return w.goneJob(s, i)
	case s.id.Group == "" && s.id.Kind == "PersistentVolumeClaim" && h == HealthInProgress && w.awaitsConsumer(s.object):
		return HealthCurrent, "its volume is made when the first Pod uses it"
	case h == HealthFailed && s.id.Group == "apps" && w.isFromBefore(i):
		// Its deadline passed before this run; what the run has changed may be what it waited for.
		return HealthInProgress, m
	}
	return h, m
}

// isFromBefore tells whether trouble of an object may be that of an earlier commit: this run has changed others,
// not this one.
func (w *waiter) isFromBefore(i int) bool { return w.mending && w.x.results[i].Action == Unchanged }

// goneJob: a Job with a time to live goes away by itself. How it ended is known when it was seen.
func (w *waiter) goneJob(s sighting, i int) (Health, string) {
	if s.last != nil {
		if h, m := jobHealth(s.last); h == HealthFailed {
			return h, m
		} else if h == HealthCurrent {
			return HealthCurrent, "it completed and has been deleted"
		}
	}
	_, mortal, _ := unstructured.NestedInt64(w.x.p.objects[w.x.actions[i].Desired].Object, "spec", "ttlSecondsAfterFinished")
	if s.last == nil && mortal {
		return HealthCurrent, "it has ended and is gone, as its ttlSecondsAfterFinished says"
	}
	return HealthNotFound, "it does not exist"
}

// note keeps a workload in mind until it is healthy.
func (w *waiter) note(id ID, o *unstructured.Unstructured, h Health, m string) {
	uid := o.GetUID()
	if h == HealthCurrent || w.x.set.Health.For(id.Group, id.Kind) != nil {
		delete(w.work, uid)
		return
	}
	if w.work[uid] == nil {
		select {
		case w.more <- struct{}{}:
		default:
		}
	}
	w.work[uid], w.base[id] = workloadOf(id, o), m
}

// judge puts what is known of a workload's Pods beside what it says itself.
func (w *waiter) judge(uid types.UID) {
	wl := w.work[uid]
	if wl == nil {
		return
	}
	i := w.slot[wl.id]
	if r := w.x.results[i]; r.Health != HealthInProgress || w.ctx.Err() != nil {
		return
	}
	if why := w.refusalOf(wl); why != nil {
		w.escalate(i, wl.id, why.message, w.lasted(uid, why.since, w.patient.create))
		return
	}
	p := w.pods.worst(wl)
	if p == nil {
		w.say(i, HealthInProgress, w.base[wl.id])
		return
	}
	t := p.trouble
	failed := t.severity == final || t.severity == lasting && w.lasted(uid, p.since, w.patient.start)
	if wl.retries && t.class == "crash" || // how often is the Job's own business
		p.found && t.restarts <= p.foundRestarts && w.isFromBefore(i) {
		failed = false
	}
	w.escalate(i, wl.id, "Pod "+p.name+": "+t.text, failed)
}

// judgePod is judge for a Pod that is itself in the set.
func (w *waiter) judgePod(i int, o *unstructured.Unstructured) {
	t, uid := podOf(o).trouble(), o.GetUID()
	p := w.alone[uid]
	if p == nil || p.trouble.class != t.class {
		p = &podSeen{uid: uid, name: o.GetName(), namespace: o.GetNamespace(), since: time.Now()}
		w.alone[uid] = p
	}
	p.trouble = t
	if t.severity == final || t.severity == lasting && time.Since(p.since) >= w.patient.start {
		w.say(i, HealthFailed, t.text)
		w.fail()
		return
	}
	w.say(i, HealthInProgress, t.text)
	if t.severity == lasting {
		w.after(p.since, w.patient.start, func() {
			if w.alone[uid] == p && p.trouble.class == t.class && w.x.results[i].Health == HealthInProgress {
				w.say(i, HealthFailed, p.trouble.text)
				w.fail()
			}
		})
	}
}

// escalate says what a workload's trouble is, and ends the wait when it has failed.
func (w *waiter) escalate(i int, id ID, text string, failed bool) {
	if failed {
		w.say(i, HealthFailed, text)
		w.fail()
		return
	}
	if base := w.base[id]; base != "" && !strings.Contains(text, base) {
		text = base + ": " + text
	}
	w.say(i, HealthInProgress, text)
}

// lasted tells whether something has gone on for long enough, and has it judged again when it will have.
func (w *waiter) lasted(uid types.UID, since time.Time, limit time.Duration) bool {
	if time.Since(since) >= limit {
		return true
	}
	w.after(since, limit, func() { w.judge(uid) })
	return false
}

// after calls do, guarded, when limit has passed since then and the wait still goes on.
func (w *waiter) after(since time.Time, limit time.Duration, do func()) {
	w.timers = append(w.timers, time.AfterFunc(time.Until(since.Add(limit)), func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.ended && w.ctx.Err() == nil {
			do()
		}
	}))
}

// end stops what would judge later.
func (w *waiter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	for _, t := range w.timers {
		t.Stop()
	}
}

// say fills in an object's health, and sends an event when it, or what is said of it, is new.
func (w *waiter) say(i int, h Health, message string) {
	r := &w.x.results[i]
	r.Health, r.Message = h, w.clean(message)
	if h == HealthCurrent && r.Message == "" {
		r.Message = w.notes[i]
	}
	if now := string(h) + "\x00" + r.Message; w.said[i] != now {
		w.said[i] = now
		w.x.sink.send(Event{Kind: EventHealth, Ref: r.Ref, Action: r.Action, Health: h, Message: r.Message})
	}
}

// clean makes other people's words fit to be shown.
func (w *waiter) clean(text string) string {
	if text == "" {
		return ""
	}
	if w.mask == nil {
		w.mask = masker(w.x.p.objects)
	}
	return oneLine(w.mask.Replace(text))
}
