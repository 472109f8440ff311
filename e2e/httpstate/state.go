package httpstate

import (
	"encoding/json"
	"fmt"
	"time"
)

// State is one state as it was written. The zero State is that of a path that has none.
type State struct {
	Raw              []byte // as it came; nil when there is none
	TerraformVersion string
	Serial           uint64
	Lineage          string
	Instances        int // resource instances in it, of data sources too
}

// parseState reads what a test asks of a state. The error is for the client: Raw is set whatever it is.
func parseState(raw []byte) (State, error) {
	s := State{Raw: raw}
	var file struct {
		TerraformVersion string `json:"terraform_version"`
		Serial           uint64
		Lineage          string
		Resources        []struct{ Instances []json.RawMessage }
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return s, fmt.Errorf("read state: %w", err)
	}
	s.TerraformVersion, s.Serial, s.Lineage = file.TerraformVersion, file.Serial, file.Lineage
	for _, r := range file.Resources {
		s.Instances += len(r.Instances)
	}
	return s, nil
}

// Lock is what Terraform says of itself when it locks a state; the names are those on the wire.
type Lock struct {
	ID        string // a UUID
	Operation string // OperationTypeApply and the like
	Info      string
	Who       string // user@host
	Version   string // of Terraform
	Created   time.Time
	Path      string
}
