package runner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/workspace"
)

// upstream is what a workspace took from other units when it converged. A drift scan compares it with that: what those
// have made since is no drift of one that waits.
type upstream struct {
	// Variables are all that Mooring handed over, where other units' outputs may be among them; nil where none are.
	Variables outputs `json:"variables,omitempty"`
	// States are those that its own files read, by unit.
	States map[string]stateMemory `json:"states,omitempty"`
}

// upstreamOf is what a run takes for a workspace, nil where that is nothing.
func (x *execution) upstreamOf(u *workspace.Unit, variables map[string]terraform.Variable) (*upstream, error) {
	var took upstream
	for _, e := range x.graph.Edges {
		if e.To != u.ID {
			continue
		}
		switch e.Why {
		case "outputs":
			took.Variables = outputs{}
		case "remote_state":
			if took.States == nil {
				took.States = map[string]stateMemory{}
			}
			took.States[e.From] = x.recall(e.From).State
		}
	}
	if took.Variables == nil && took.States == nil {
		return nil, nil
	}
	if took.Variables != nil {
		for name, v := range variables {
			kept, err := x.r.seal.sealOutput(v.JSON, nil, v.Sensitive)
			if err != nil {
				return nil, fmt.Errorf("keep variable %s: %w", name, err)
			}
			took.Variables[name] = kept
		}
	}
	return &took, nil
}

// since says what a run would take for a workspace that it did not converge with, or "". What is not known may be anything.
func (x *execution) since(u *workspace.Unit, variables map[string]terraform.Variable) string {
	was := x.recall(u.ID).Upstream
	for _, e := range x.graph.Edges {
		switch {
		case e.To != u.ID || e.Why != "outputs" && e.Why != "remote_state":
		case was == nil:
			return "what it took from " + e.From + " when it converged is not known"
		case e.Why == "remote_state" && !was.States[e.From].same(x.recall(e.From).State):
			return e.From + ", whose state it reads, was applied since it converged"
		case e.Why == "outputs":
			for _, name := range slices.Sorted(maps.Keys(variables)) {
				kept, err := x.r.seal.reveal(name, was.Variables[name])
				if err != nil || !sameJSON(kept, variables[name].JSON) {
					return "variable " + name + " is not what it converged with"
				}
			}
		}
	}
	return ""
}

// same tells that a state is the one that was seen before.
func (s stateMemory) same(now stateMemory) bool {
	return s.Lineage == now.Lineage && s.Serial == now.Serial
}

// sameJSON tells that two texts have one value, however they escape it.
func sameJSON(a, b []byte) bool {
	var values [2]any
	for i, text := range [][]byte{a, b} {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber() // a float would not tell long numbers apart
		if err := d.Decode(&values[i]); err != nil {
			return false
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}

// variables are those that the unit of a scan converged with, or what they are now where that is not known.
func (x *scanRun) variables(t task) (map[string]terraform.Variable, error) {
	took := x.recall(t.unit.ID).Upstream
	if x.stands[t.unit.ID].undeployed || took == nil || took.Variables == nil {
		return variablesOf(t.unit, x.upstreamOutputs)
	}
	variables := make(map[string]terraform.Variable, len(took.Variables))
	for name, kept := range took.Variables {
		value, err := x.r.seal.reveal(name, kept)
		if err != nil {
			return nil, err
		}
		variables[name] = terraform.Variable{JSON: json.RawMessage(value), Sensitive: kept.Sensitive}
	}
	return variables, nil
}

// ahead names a unit whose state the files of the scan's unit read and that Mooring has applied since that one converged,
// or is applying; "" is none. Asked after the plan, it is the last word: what the plan read is not newer.
func (x *scanRun) ahead(id string) (name string, err error) {
	took := x.recall(id).Upstream
	if took == nil {
		return "", nil
	}
	err = x.r.journal.view(func(tx *bbolt.Tx) error {
		for from, was := range took.States {
			now, err := getMemory(tx, x.run.Repository, from)
			if err != nil {
				return err
			}
			if (!was.same(now.State) || now.Intent != nil) && (name == "" || from < name) {
				name = from
			}
		}
		return nil
	})
	return name, err
}
