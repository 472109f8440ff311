package runner

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

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

// upstreamOutputs gives a unit what it may refer to: the last good outputs of
// other units, in clear.
func (x *execution) upstreamOutputs(id string) (map[string]workspace.Output, bool) {
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
