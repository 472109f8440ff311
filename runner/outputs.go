package runner

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/internal/terraform/redact"
	"github.com/mooring-iac/mooring/workspace"
)

// output is one Terraform output as the journal keeps it. A sensitive value is
// there only sealed.
type output struct {
	Value     json.RawMessage `json:"value,omitempty"`
	Sealed    []byte          `json:"sealed,omitempty"`
	Type      json.RawMessage `json:"type,omitempty"` // cty's JSON form
	Sensitive bool            `json:"sensitive,omitempty"`
}

type outputs map[string]output

func (s *sealer) sealOutput(value, typ json.RawMessage, sensitive bool) (output, error) {
	if !sensitive {
		return output{Value: value, Type: typ}, nil
	}
	sealed, err := s.seal(value)
	if err != nil {
		return output{}, err
	}
	return output{Sealed: sealed, Type: typ, Sensitive: true}, nil
}

func (s *sealer) sealOutputs(outs map[string]terraform.Output) (outputs, error) {
	kept := make(outputs, len(outs))
	for name, o := range outs {
		sealed, err := s.sealOutput(o.JSON, o.Type, o.Sensitive)
		if err != nil {
			return nil, fmt.Errorf("keep output %s: %w", name, err)
		}
		kept[name] = sealed
	}
	return kept, nil
}

// secretsOf are the sensitive outputs that the journal keeps of a unit, in clear.
func (r *Runner) secretsOf(m memory) []string {
	hide := redact.New()
	for name, o := range m.Outputs {
		if !o.Sensitive {
			continue
		}
		if value, err := r.seal.reveal(name, o); err == nil { // one that cannot be read cannot be shown either
			hide.AddJSON(value)
		}
	}
	return hide.Secrets()
}

// serverSecrets are those of the server's own configuration, which no run needs.
func (r *Runner) serverSecrets() []string {
	var all []string
	for _, cfg := range r.opts.Repositories {
		all = append(all, cfg.Token, string(cfg.SSHKey), cfg.Passphrase)
	}
	return all
}

// reveal returns the output's value in clear.
func (s *sealer) reveal(name string, o output) (json.RawMessage, error) {
	if !o.Sensitive {
		return o.Value, nil
	}
	plain, err := s.open(o.Sealed)
	if err != nil {
		return nil, fmt.Errorf("output %s: %w", name, err)
	}
	return plain, nil
}

func names(o outputs) []string { return slices.Sorted(maps.Keys(o)) }

func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

// upstreamOutputs gives a unit what it may refer to of other units, in clear.
func (x *execution) upstreamOutputs(id string) (map[string]workspace.Output, bool) {
	if x.ahead != nil {
		return x.ahead(id)
	}
	return x.remembered(id)
}

// remembered are the last good outputs of a unit, in clear.
func (x *execution) remembered(id string) (map[string]workspace.Output, bool) {
	m := x.recall(id)
	if m.Outputs == nil {
		return nil, false
	}
	clear := make(map[string]workspace.Output, len(m.Outputs))
	for name, o := range m.Outputs {
		value, err := x.r.seal.reveal(name, o)
		if err != nil {
			continue // said as a missing output where somebody asks for it
		}
		clear[name] = workspace.Output{JSON: json.RawMessage(value), Type: o.Type, Sensitive: o.Sensitive}
	}
	return clear, true
}
