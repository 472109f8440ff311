package terraform

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// StateInfo is what continuity is judged by. The zero value is an unknown state; an empty one has Known set and no lineage.
type StateInfo struct {
	Known     bool
	Lineage   string
	Serial    uint64
	Resources int // managed resource instances
	Outputs   map[string]Output
}

// State tells what state the workspace has now: from the file when it is local, else by `terraform state pull`. Init must have succeeded.
func (s *Session) State(ctx context.Context) (StateInfo, error) {
	if !s.ready {
		return StateInfo{}, fmt.Errorf("state of %s: not initialised", s.spec.Key)
	}
	if info, ok := s.localState(); ok {
		return info, nil
	}
	rep, err := s.query(ctx, request{Verb: "state pull"})
	if err != nil {
		return StateInfo{}, err
	}
	return *rep.State, nil
}

// localState reads the state file of a local backend. ok is false when there is none to read or it is not plain (OpenTofu can encrypt).
func (s *Session) localState() (info StateInfo, ok bool) { return readStateFile(s.state.current) }

func readStateFile(name string) (info StateInfo, ok bool) {
	if name == "" {
		return StateInfo{}, false
	}
	data, err := readRegular(name)
	if errors.Is(err, fs.ErrNotExist) {
		return StateInfo{Known: true, Outputs: map[string]Output{}}, true
	}
	if err != nil {
		return StateInfo{}, false
	}
	info, err = readState(bytes.NewReader(data))
	return info, err == nil
}

// readPlanState reads the state a plan was made against out of the plan file, a zip archive. Its entry "tfstate" has lineage and serial
// but the planned outputs already; "tfstate-prev" has what the last run left.
func readPlanState(file string) (StateInfo, error) {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return StateInfo{}, err
	}
	defer archive.Close()
	prior, err := readEntry(&archive.Reader, "tfstate")
	if err != nil {
		return StateInfo{}, err
	}
	last, err := readEntry(&archive.Reader, "tfstate-prev")
	if err != nil {
		return StateInfo{}, err
	}
	prior.Outputs, prior.Resources = last.Outputs, last.Resources
	return prior, nil
}

func readEntry(archive *zip.Reader, name string) (StateInfo, error) {
	entry, err := archive.Open(name)
	if err != nil {
		return StateInfo{}, err
	}
	defer entry.Close()
	return readState(entry)
}

// readState reads state format 4 and nothing of its resources but their number.
func readState(r io.Reader) (StateInfo, error) {
	var state struct {
		Version int    `json:"version"`
		Lineage string `json:"lineage"`
		Serial  uint64 `json:"serial"`
		Outputs map[string]struct {
			Value     json.RawMessage `json:"value"`
			Type      json.RawMessage `json:"type"`
			Sensitive bool            `json:"sensitive"`
		} `json:"outputs"`
		Resources []struct {
			Mode      string     `json:"mode"`
			Instances []struct{} `json:"instances"`
		} `json:"resources"`
	}
	info := StateInfo{Known: true, Outputs: map[string]Output{}}
	if err := json.NewDecoder(r).Decode(&state); err != nil {
		if errors.Is(err, io.EOF) {
			return info, nil // an empty file: no state yet
		}
		return StateInfo{}, fmt.Errorf("read state: %w", err)
	}
	if state.Version != 4 || state.Outputs == nil && state.Lineage == "" && state.Serial != 0 {
		return StateInfo{}, fmt.Errorf("read state: format %d is not known", state.Version)
	}
	info.Lineage, info.Serial = state.Lineage, state.Serial
	for name, output := range state.Outputs {
		info.Outputs[name] = Output{JSON: output.Value, Type: output.Type, Sensitive: output.Sensitive}
	}
	for _, resource := range state.Resources {
		if resource.Mode == "managed" {
			info.Resources += len(resource.Instances)
		}
	}
	return info, nil
}
