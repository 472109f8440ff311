package runner

import (
	"encoding/json"
	"fmt"

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
			if (now.State.Lineage != was.Lineage || now.State.Serial != was.Serial || now.Intent != nil) && (name == "" || from < name) {
				name = from
			}
		}
		return nil
	})
	return name, err
}
