package k8s

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// Desired is one object as it will be sent, with what deciding about it needs.
type Desired struct {
	Item  Item   // identity, and the version it is written in
	Hash  string // of what will be sent; "" where no hash may be kept
	Order Order  // when it is sent
	// Expires tells that the cluster removes it by itself once it is done: a Job with a time to live.
	Expires bool
}

// Live is what a cluster says of one object.
type Live struct {
	Found           bool // false: looked for and not there
	Unknown         bool // could not be asked: its API service does not answer
	UID             types.UID
	ResourceVersion string
	Generation      int64
	Owner           string   // value of the owner label: Set.label of whose it is, or ""
	Managed         string   // digest of the fields recorded as applied by us; "" when none are
	Deleting        bool     // its deletion has begun
	Finalizers      []string // what a deletion waits for
	Prune           string   // value of the annotation mooring.dev/prune
	Elsewhere       string   // ID of another set that wants the object now; looked for only where it matters
	Undecided       string   // why it cannot be said whether another set wants it
}

// Verb is what an action does.
type Verb string

// The verbs of actions.
const (
	VerbApply    Verb = "apply"    // send it; the server's answer tells created, configured or unchanged
	VerbRecreate Verb = "recreate" // delete it and send it again
	VerbKeep     Verb = "keep"     // as desired already: nothing is sent
	VerbVerify   Verb = "verify"   // as desired by what is recorded: a dry-run tells whether that is so
	VerbRefuse   Verb = "refuse"   // must not be sent, for Reason: the whole set is refused
	VerbDelete   Verb = "delete"   // prune it
	VerbHold     Verb = "hold"     // would be pruned once a person has said so
	VerbSkip     Verb = "skip"     // would be pruned, but stays for Reason, in the inventory too
	VerbForget   Verb = "forget"   // leaves the inventory, nothing is sent: gone, or not ours for Reason
)

// Action is one step of a plan.
type Action struct {
	Verb    Verb
	Item    Item
	Order   Order  // applies run in rising order, deletes in falling order of stages
	Desired int    // index into the desired objects; -1 for objects that are no longer desired
	Live    Live   // as observed; zero when it was not looked for
	Reason  string // why it is refused, recreated, held, skipped or forgotten
}

// String is the action in one line.
func (a Action) String() string {
	if a.Reason == "" {
		return fmt.Sprintf("%s %s", a.Verb, a.Item.Ref())
	}
	return fmt.Sprintf("%s %s: %s", a.Verb, a.Item.Ref(), a.Reason)
}

// sends tells whether the action sends an object.
func (a Action) sends() bool { return a.Verb == VerbApply || a.Verb == VerbRecreate }

// Observed is what is known of a cluster: by identity (one that is missing was not looked for), and whether what it
// records may be believed, or everything is to be asked again.
type Observed struct {
	Live   map[ID]Live
	Verify bool
}

// Plan decides what makes a cluster hold the desired objects and nothing else of the set. It is pure; inv is what
// the set put there before. Applies come first, in their order and, within one, as given; then what is no longer desired.
func Plan(set Set, desired []Desired, observed Observed, inv Inventory) []Action {
	before, label := inv.byID(), set.label()
	wanted := make(map[ID]bool, len(desired))
	uids := make(map[types.UID]bool, len(desired))
	var applies, rest []Action
	for _, d := range desired {
		wanted[d.Item.ID] = true
		if live := observed.Live[d.Item.ID]; live.UID != "" {
			uids[live.UID] = true
		}
	}
	for i, d := range desired {
		a := want(label, i, d, before[d.Item.ID], observed)
		if was, ours := before[d.Item.ID]; ours && set.leaves(a) {
			a.Verb, a.Item, a.Reason = VerbKeep, was, "it has not drifted"
		}
		applies = append(applies, a)
	}
	for _, item := range inv.Items {
		if !wanted[item.ID] {
			rest = append(rest, leave(set, label, item, observed.Live[item.ID], uids))
		}
	}
	slices.SortStableFunc(applies, func(a, b Action) int { return a.Order.compare(b.Order) })
	slices.SortStableFunc(rest, func(a, b Action) int { return cmp.Compare(b.Order.Stage, a.Order.Stage) })
	holdShare(set, rest, len(inv.Items))
	runHooks(applies, rest)
	return append(applies, rest...)
}

// want decides about an object that the set holds.
func want(label string, i int, d Desired, was Item, observed Observed) Action {
	live := observed.Live[d.Item.ID]
	a := Action{Verb: VerbApply, Item: d.Item, Order: d.Order, Desired: i, Live: live}
	switch {
	case live.Elsewhere != "":
		a.Verb, a.Reason = VerbRefuse, fmt.Sprintf("the set %s holds the same object; keep it in one of the two", live.Elsewhere)
	case live.Undecided != "":
		a.Verb, a.Reason = VerbRefuse, "it carries another set's label, and "+live.Undecided
	case !live.Found && d.Expires && was.Healthy && d.Hash != "" && strings.HasPrefix(was.Applied, d.Hash+"."):
		a.Verb, a.Item, a.Reason = VerbKeep, was, "done, and removed after its time to live"
	case isApplied(label, d, was, live):
		a.Verb, a.Item = VerbKeep, was
		if observed.Verify {
			a.Verb = VerbVerify
		}
	}
	return a
}

// isApplied tells whether an apply would change nothing: the same was sent before to the same object, and the
// fields recorded as ours have not changed since. Any edit of one of our fields takes it out of that record.
func isApplied(label string, d Desired, was Item, live Live) bool {
	return live.Found && live.Owner == label && !live.Deleting && live.UID == was.UID && was.Version == d.Item.Version &&
		d.Hash != "" && was.Applied == fingerprint(d.Hash, live.Managed)
}

func fingerprint(hash, managed string) string {
	if hash == "" || managed == "" {
		return ""
	}
	return hash + "." + managed
}

// leave decides about an object that the set no longer holds. Whatever is not certainly ours is left alone.
func leave(set Set, label string, item Item, live Live, desiredUIDs map[types.UID]bool) Action {
	a := Action{Verb: VerbForget, Item: item, Order: Order{Stage: stageOf(item)}, Desired: -1, Live: live}
	refused := set.refuses(item.ID)
	switch {
	case live.Unknown && refused != "":
		a.Verb, a.Reason = VerbSkip, "it is left alone, not allowed: "+refused
	case live.Unknown:
		a.Verb, a.Reason = VerbSkip, "its API service does not answer"
	case !live.Found:
		a.Reason = "already gone"
	case desiredUIDs[live.UID]:
		a.Reason = "the same object is in the set through another API group"
	case live.Elsewhere != "":
		a.Reason = "it has moved to the set " + live.Elsewhere
	case live.Undecided != "":
		a.Verb, a.Reason = VerbSkip, live.Undecided
	case live.Owner != label:
		a.Reason = "it no longer carries the set's label " + ownerLabel
	case refused != "":
		a.Verb, a.Reason = VerbSkip, "it is left alone, not allowed: "+refused
	case item.UID != "" && live.UID != item.UID && live.Managed == "":
		a.Reason = "someone else has made it anew"
	case live.Prune == "disabled":
		a.Verb, a.Reason = VerbSkip, "it is annotated "+pruneAnnotation+": disabled"
	case isProtected(item) && live.Prune != "enabled":
		a.Verb, a.Reason = VerbSkip, "a "+item.Kind+" is deleted only when annotated "+pruneAnnotation+": enabled"
	case item.Recalled && live.Prune != "enabled":
		a.Verb, a.Reason = VerbSkip, "nothing but its label says that this set made it, and another Mooring may have: it is deleted only when annotated "+pruneAnnotation+": enabled"
	case !set.Prune:
		a.Verb, a.Reason = VerbSkip, "pruning is off for this set"
	default:
		a.Verb = VerbDelete
	}
	return a
}

// A prune of so many objects, and of so large a share of the set, is a mistake more often than a wish.
const (
	pruneHoldMin     = 10
	pruneHoldPercent = 50
)

// holdShare turns the deletes of a plan into holds where they are a large share of what the set holds.
func holdShare(set Set, rest []Action, holds int) {
	deletes, allowed := 0, 0
	for _, a := range rest {
		if a.Verb == VerbDelete {
			deletes++
			if set.allowAll || set.AllowPrune[a.Item.ID] {
				allowed++
			}
		}
	}
	if allowed == deletes || deletes < pruneHoldMin || deletes*100 <= holds*pruneHoldPercent {
		return
	}
	for i := range rest {
		if rest[i].Verb == VerbDelete {
			rest[i].Verb, rest[i].Reason = VerbHold, fmt.Sprintf("%d of the set's %d objects would be pruned: a person has to say so", deletes, holds)
		}
	}
}

// runHooks has hooks run again where anything else of the set changes, and leaves them alone where nothing does.
func runHooks(applies, rest []Action) {
	changes := slices.ContainsFunc(rest, func(a Action) bool { return a.Verb == VerbDelete }) ||
		slices.ContainsFunc(applies, func(a Action) bool { return a.sends() && !a.isTask() })
	for i := range applies {
		a := &applies[i]
		if !a.isTask() || a.Verb == VerbRefuse {
			continue
		}
		if changes || a.sends() {
			a.Verb = VerbApply
			if a.Live.Found && (a.Live.Owner != "" || a.Live.Managed != "") { // else it is somebody's: the server says whether it may be had
				a.Verb, a.Reason = VerbRecreate, "a hook runs anew with every change"
			}
		}
	}
}

// isTask tells a hook that runs from one that is only there.
func (a Action) isTask() bool { return a.Order.isHook() && runsToCompletion(a.Item) }

// runsToCompletion names the kinds that do something once.
func runsToCompletion(item Item) bool {
	return item.Group == "batch" && item.Kind == "Job" || item.Group == "" && item.Kind == "Pod"
}

// isProtected names the kinds whose deletion takes other people's objects, or data, along.
func isProtected(item Item) bool {
	switch item.Group + "/" + item.Kind {
	case "/Namespace", "/PersistentVolume", "/PersistentVolumeClaim", "apiextensions.k8s.io/CustomResourceDefinition":
		return true
	}
	return false
}
