package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/internal/terraform"
)

// binding is everything that a saved plan was made from. It is applied only where
// all of that still holds: what was reviewed is what runs.
type binding struct {
	Commit    string      `json:"commit"`
	Tree      string      `json:"tree"`      // digest of the files that Terraform reads
	Tool      string      `json:"tool"`      // name, version and digest of the executable
	Variables string      `json:"variables"` // digest of the values that Mooring hands over
	Policy    string      `json:"policy"`    // what the server and the repository say of applies
	State     stateMemory `json:"state"`
}

// moved names what differs from what a plan was made from, in words for a person.
// A binding that is not known has moved.
func (b binding) moved(now binding) []string {
	var all []string
	for _, part := range []struct{ name, was, is string }{
		{"the commit", b.Commit, now.Commit},
		{"the files", b.Tree, now.Tree},
		{"the Terraform version", b.Tool, now.Tool},
		{"the variables", b.Variables, now.Variables},
		{"the policy", b.Policy, now.Policy},
		{"the backend", b.State.Identity, now.State.Identity},
	} {
		if part.was != part.is {
			all = append(all, part.name)
		}
	}
	return all
}

// StalePlanError says what has moved since a plan was made. Nothing was applied.
type StalePlanError struct{ Moved []string }

func (e *StalePlanError) Error() string {
	return fmt.Sprintf("%s moved since the plan was made", strings.Join(e.Moved, ", "))
}

func (e *StalePlanError) Unwrap() error { return terraform.ErrStalePlan }

// binding is what a plan that is made now is made from. The state is the plan's own
// to tell.
func (w *workspaceRun) binding() (binding, error) {
	tree, err := w.s.Inputs()
	if err != nil {
		return binding{}, err
	}
	tool := w.spec.Tool
	return binding{
		Commit: w.commit, Tree: tree, Tool: tool.Name + " " + tool.Version + " " + tool.Digest,
		Variables: variablesDigest(w.spec), Policy: w.policy(), State: stateMemory{Identity: w.t.unit.StateIdentity()},
	}, nil
}

// policy is what decides over a plan beside the plan itself.
func (w *workspaceRun) policy() string {
	cfg := w.x.repo.cfg
	said := fmt.Sprintf("apply %s, auto_apply %s within %s, direct pushes held %t", cfg.Apply, w.t.unit.AutoApply, cfg.AutoApply, cfg.HoldDirect)
	if rules := w.rules.digest(); rules != "" {
		said += ", rules " + rules
	}
	return said
}

func variablesDigest(s terraform.Spec) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(s.Variables)) {
		fmt.Fprintf(h, "%q=%q\n", name, s.Variables[name].JSON)
	}
	return hex.EncodeToString(h.Sum(nil))
}
