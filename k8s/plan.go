package k8s

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// Desired is one object as it will be sent, with what deciding about it needs.
type Desired struct {
	Item Item   // identity, and the version it is written in
	Hash string // of what will be sent; "" for a Secret, of whose content nothing is kept
}

// Live is what a cluster says of one object.
type Live struct {
	Found           bool // false: looked for and not there
	Unknown         bool // could not be asked: its API service does not answer
	UID             types.UID
	ResourceVersion string
	Ours            bool     // carries this set's owner label
	Managed         string   // digest of the fields recorded as applied by us; "" when none are
	Deleting        bool     // its deletion has begun
	Finalizers      []string // what a deletion waits for
	Prune           string   // value of the annotation mooring.dev/prune
}

// Verb is what an action does.
type Verb string

// The verbs of actions.
const (
	VerbApply  Verb = "apply"  // send it; the server's answer tells created, configured or unchanged
	VerbKeep   Verb = "keep"   // as desired already: nothing is sent
	VerbDelete Verb = "delete" // prune it
	VerbSkip   Verb = "skip"   // would be pruned, but stays for Reason, in the inventory too
	VerbForget Verb = "forget" // leaves the inventory, nothing is sent: gone, or not ours for Reason
)

// Action is one step of a plan.
type Action struct {
	Verb    Verb
	Item    Item
	Stage   int    // applies run in rising, deletes in falling order of stages
	Desired int    // index into the desired objects; -1 for objects that are no longer desired
	Live    Live   // as observed; zero when it was not looked for
	Reason  string // why an object is skipped or forgotten
}

// Plan decides what makes a cluster hold the desired objects and nothing else of the set. It is pure: observed
// holds what is known of the cluster (an identity that is missing was not looked for), inv what the set put there
// before. Applies come first, in order of stages and, within one, as given; then what is no longer desired.
func Plan(set Set, desired []Desired, observed map[ID]Live, inv Inventory) []Action {
	before := inv.byID()
	wanted := make(map[ID]bool, len(desired))
	uids := make(map[types.UID]bool, len(desired))
	var applies, rest []Action
	for i, d := range desired {
		wanted[d.Item.ID] = true
		live := observed[d.Item.ID]
		if live.UID != "" {
			uids[live.UID] = true
		}
		a := Action{Verb: VerbApply, Item: d.Item, Stage: stageOf(d.Item), Desired: i, Live: live}
		if was := before[d.Item.ID]; isApplied(d, was, live) {
			a.Verb, a.Item = VerbKeep, was
		}
		applies = append(applies, a)
	}
	for _, item := range inv.Items {
		if !wanted[item.ID] {
			rest = append(rest, leave(set, item, observed[item.ID], uids))
		}
	}
	slices.SortStableFunc(applies, func(a, b Action) int { return a.Stage - b.Stage })
	slices.SortStableFunc(rest, func(a, b Action) int { return b.Stage - a.Stage })
	return append(applies, rest...)
}

// isApplied tells whether an apply would change nothing: the same was sent before to the same object, and the
// fields recorded as ours have not changed since. Any edit of one of our fields takes it out of that record.
func isApplied(d Desired, was Item, live Live) bool {
	return live.Found && live.Ours && !live.Deleting && live.UID == was.UID && was.Version == d.Item.Version &&
		d.Hash != "" && was.Applied == fingerprint(d.Hash, live.Managed)
}

func fingerprint(hash, managed string) string {
	if hash == "" || managed == "" {
		return ""
	}
	return hash + "." + managed
}

// leave decides about an object that the set no longer holds. Whatever is not certainly ours is left alone.
func leave(set Set, item Item, live Live, desiredUIDs map[types.UID]bool) Action {
	a := Action{Verb: VerbForget, Item: item, Stage: stageOf(item), Desired: -1, Live: live}
	switch {
	case live.Unknown:
		a.Verb, a.Reason = VerbSkip, "its API service does not answer"
	case !live.Found:
		a.Reason = "already gone"
	case desiredUIDs[live.UID]:
		a.Reason = "the same object is in the set through another API group"
	case !live.Ours:
		a.Reason = "it no longer carries the set's label " + ownerLabel
	case item.UID != "" && live.UID != item.UID && live.Managed == "":
		a.Reason = "someone else has made it anew"
	case live.Prune == "disabled":
		a.Verb, a.Reason = VerbSkip, "it is annotated "+pruneAnnotation+": disabled"
	case isProtected(item) && live.Prune != "enabled":
		a.Verb, a.Reason = VerbSkip, "a "+item.Kind+" is deleted only when annotated "+pruneAnnotation+": enabled"
	case !set.Prune:
		a.Verb, a.Reason = VerbSkip, "pruning is off for this set"
	default:
		a.Verb = VerbDelete
	}
	return a
}

// isProtected names the kinds whose deletion takes other people's objects, or data, along.
func isProtected(item Item) bool {
	switch item.Group + "/" + item.Kind {
	case "/Namespace", "/PersistentVolume", "/PersistentVolumeClaim", "apiextensions.k8s.io/CustomResourceDefinition":
		return true
	}
	return false
}
