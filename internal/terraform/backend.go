package terraform

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// ErrBackend says that init found another backend than the caller named. A state whose place is not known could be lost with its view, so
// nothing goes on.
var ErrBackend = errors.New("not the backend that was expected")

// checkBackend compares what init configured with what Open was told.
func (s *Session) checkBackend() error {
	var record struct {
		Backend struct {
			Type   string `json:"type"`
			Config struct {
				Path         *string `json:"path"`
				WorkspaceDir *string `json:"workspace_dir"`
			} `json:"config"`
		} `json:"backend"`
	}
	data, err := readRegular(filepath.Join(s.initDir(), "terraform.tfstate"))
	if err == nil {
		// The configuration of other backends has other types in these places; only "local" is looked at.
		if err = json.Unmarshal(data, &record); record.Backend.Type != "" && record.Backend.Type != "local" {
			err = nil
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the backend of %s: %w", s.spec.Key, err)
	}
	found := record.Backend
	switch {
	case found.Type == "remote" || found.Type == "cloud":
		return fmt.Errorf("%s: backend %q: %w", s.spec.Key, found.Type, ErrRemoteExecution)
	case found.Type != s.spec.BackendType:
		return fmt.Errorf("%s: backend is %q, expected %q: %w", s.spec.Key, found.Type, s.spec.BackendType, ErrBackend)
	case found.Type != "local":
		return nil
	}
	for _, setting := range []struct {
		name, standard, want string
		found                *string
	}{
		{"path", "terraform.tfstate", s.spec.StatePath, found.Config.Path}, {"workspace_dir", "terraform.tfstate.d", s.spec.WorkspaceDir, found.Config.WorkspaceDir},
	} {
		is := setting.standard
		if setting.found != nil && *setting.found != "" {
			is = *setting.found
		}
		want := setting.want
		if want == "" {
			want = setting.standard
		}
		if filepath.Clean(is) != filepath.Clean(want) {
			return fmt.Errorf("%s: %s of backend \"local\" is %q, expected %q: %w", s.spec.Key, setting.name, is, want, ErrBackend)
		}
	}
	return nil
}
