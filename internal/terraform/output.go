package terraform

import (
	"context"
	"fmt"
)

// Outputs reads the outputs of the state as it is now, sensitive ones in clear: from the state file when it is a local one, else by
// `terraform output -json`. Init must have succeeded.
func (s *Session) Outputs(ctx context.Context) (map[string]Output, error) {
	if !s.ready {
		return nil, fmt.Errorf("outputs of %s: not initialised", s.spec.Key)
	}
	if info, ok := s.localState(); ok {
		return info.Outputs, nil
	}
	rep, err := s.query(ctx, request{Verb: "output"})
	if err != nil {
		return nil, err
	}
	return rep.State.Outputs, nil
}
