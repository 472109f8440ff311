package runner

import (
	"encoding/json"
	"fmt"
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
