package drift

import (
	"cmp"
	"slices"

	tfjson "github.com/hashicorp/terraform-json"
)

// State is what is known of a unit beside its plan.
type State struct {
	// Undeployed says that the unit's commit was not converged: the configuration moved.
	Undeployed bool
	// StateMoved says that the state is not the one that our last apply left: another lineage or serial.
	StateMoved bool
	// Ahead says that a state which the configuration reads is not the one that the unit converged with: what follows from it
	// is undeployed, too.
	Ahead bool
}

// Terraform says what a plan finds, sorted by address. The plan is a normal one, with a refresh: one that was made
// without names nothing as changed out of band, and does not tell.
//
// A resource that is not as Terraform left it is out of band in the attributes that the plan would set again, and in those
// on which something else in the plan depends; what nothing depends on is noise and not found. All else that is planned is
// undeployed where the commit is; else out of band where the state moved, because somebody applied or wrote a state
// elsewhere; else churn. Moves, imports and what is forgotten only a commit can ask for: they are undeployed. So one
// resource can have several findings, but no two of one class.
//
// An update of which nothing is known before the apply follows from another change or never settles, and is not out of
// band by itself. What would be churn is out of band where the configuration refers to what is. Data sources that would be read, and outputs, count only where nothing else is found. What Terraform
// defers is found with the reason, as info.
//
// Old is what it was when Terraform left it, or what is planned; where that is only known after an apply, Unknown is set.
// Values that are sensitive before or after are hashed under the key and never in a finding. The severity is the usual
// one, see [Grade]. A plan that ended with an error has no plan file, and is not for this function; one that is incomplete
// says what it found and not that there is no more, see [Whole].
func Terraform(p *tfjson.Plan, s State, key []byte) []Finding {
	if p == nil {
		return nil
	}
	c := classifier{state: s, relevant: relevantOf(p.RelevantAttributes)}
	if s.Ahead {
		c.ahead = readers(p.Config)
	}
	drifted, seen := map[string]*tfjson.ResourceChange{}, map[string]bool{}
	for _, d := range p.ResourceDrift {
		if d != nil && d.Change != nil {
			drifted[instance(d)] = d
		}
	}
	for _, rc := range p.ResourceChanges {
		if rc != nil && rc.Change != nil && !seen[instance(rc)] {
			seen[instance(rc)] = true
			c.resource(rc, drifted[instance(rc)])
		}
	}
	for _, d := range p.ResourceDrift {
		if d != nil && d.Change != nil && !seen[instance(d)] {
			seen[instance(d)] = true
			c.resource(nil, d)
		}
	}
	c.deferred(p.DeferredChanges, seen)
	if len(c.found) == 0 {
		c.reads(p.ResourceChanges)
		c.outputs(p.OutputChanges)
	}
	c.follow(p.Config)
	for i := range c.found {
		c.found[i].Seal(key)
	}
	Grade(c.found, nil)
	slices.SortFunc(c.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return c.found
}

// Whole reports whether a plan looked at all there is, so that what it does not find is not there. It did not where
// changes are deferred or only some resources were asked for.
func Whole(p *tfjson.Plan) bool {
	return p != nil && (p.Complete == nil || *p.Complete) && len(p.DeferredChanges) == 0
}

type classifier struct {
	state    State
	relevant relevant
	ahead    map[string]string // nodes that follow from a state which is ahead, and from what
	found    []Finding
	nodes    []string // of each finding, as follow knows them
}

// find adds a finding of a resource; rc is nil where it is of something else.
func (c *classifier) find(f Finding, rc *tfjson.ResourceChange) {
	n := ""
	if rc != nil {
		n = nodeOf(rc)
	}
	c.found, c.nodes = append(c.found, f), append(c.nodes, n)
}

// instance is what a plan calls one object of a resource.
func instance(rc *tfjson.ResourceChange) string {
	if rc.DeposedKey != "" {
		return rc.Address + " (deposed object " + rc.DeposedKey + ")"
	}
	return rc.Address
}

// resource classifies what is planned for a resource and how it drifted; either can be nil.
func (c *classifier) resource(planned, drifted *tfjson.ResourceChange) {
	rc := planned
	if rc == nil {
		rc = drifted
	}
	if rc.Mode == tfjson.DataResourceMode {
		return
	}
	f := Finding{Address: instance(rc), Kind: rc.Type, Action: "none"}
	if planned != nil {
		f.Action = action(planned.Change.Actions)
	}
	if drifted != nil && drifted.Change.After == nil {
		if f.Action != "none" && f.Action != "forget" || c.relevant.any(rc) {
			f.Class, f.Change = OutOfBand, Deleted
			c.find(f, rc)
		}
		return
	}
	kept, rest := split(planned, drifted, func(path []any) bool { return c.relevant.touch(rc, path) })
	if len(kept) > 0 {
		out := f
		out.Class, out.Change = OutOfBand, Changed
		for _, d := range kept {
			out.Fields = append(out.Fields, Field{Path: written(d.path), Old: d.old, New: d.new, Secret: d.secret})
		}
		c.find(out, rc)
	}
	if planned == nil || !restated(planned) && (f.Action == "none" || len(kept) > 0 && len(rest) == 0 && changes(f.Action)) {
		return
	}
	if f.Action != "update" && !slices.ContainsFunc(rest, known) {
		// A replacement computes nearly all again: what matters is what forces it, if an attribute does.
		forces := pathsOf(forcing(planned), nil)
		rest = slices.DeleteFunc(rest, func(d difference) bool { return !forces.touch(d.path) })
	}
	for _, d := range rest {
		f.Fields = append(f.Fields, Field{Path: written(d.path), Old: d.new, New: d.old, Secret: d.secret, Planned: true, Unknown: d.unknown})
	}
	c.unexplained(f, planned)
}

// unexplained classifies what is planned and no drift explains.
func (c *classifier) unexplained(f Finding, rc *tfjson.ResourceChange) {
	f.Change, f.Message = Changed, remark(rc, len(f.Fields) == 0)
	f.Class = c.otherwise(nodeOf(rc))
	switch {
	case restated(rc):
		f.Class = Undeployed
	case f.Class == OutOfBand && follows(f):
		f.Class = Churn
	case f.Class == OutOfBand && f.Action == "create":
		f.Change = Deleted
	case f.Class == OutOfBand && f.Action == "delete":
		f.Change = Added
	}
	c.find(f, rc)
}

// follows reports whether nothing of a change is known before an apply.
func follows(f Finding) bool {
	return f.Action == "update" && len(f.Fields) > 0 && !slices.ContainsFunc(f.Fields, func(x Field) bool { return !x.Unknown })
}

// otherwise is the class of what no drift explains, by its node.
func (c *classifier) otherwise(node string) Class {
	switch {
	case c.state.Undeployed || c.ahead[node] != "":
		return Undeployed
	case c.state.StateMoved:
		return OutOfBand
	}
	return Churn
}

// changes reports whether an action leaves something that differs from what was there by attributes.
func changes(action string) bool {
	return action == "update" || action == "replace" || action == "unknown"
}

// action is what a plan would do to a resource. What is not known here is neither harmless nor one of the others.
func action(a tfjson.Actions) string {
	switch {
	case a.NoOp(), a.Read():
		return "none"
	case a.Create():
		return "create"
	case a.Update():
		return "update"
	case a.Delete():
		return "delete"
	case a.Replace():
		return "replace"
	case a.Forget():
		return "forget"
	case slices.Contains(a, tfjson.ActionForget) && slices.Contains(a, tfjson.ActionCreate):
		return "replace"
	}
	return "unknown"
}
