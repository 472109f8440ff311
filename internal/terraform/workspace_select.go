package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
)

// selectWorkspace makes .terraform name the wanted Terraform workspace, and makes the workspace when the backend has none of that name.
// When select fails, the backend's list says whether the workspace is missing or something else is wrong.
func (s *Session) selectWorkspace(ctx context.Context, out io.Writer) error {
	name := s.spec.workspaceName()
	if s.selectedWorkspace() == name {
		return nil
	}
	_, selectErr := s.query(ctx, request{Verb: "workspace select", Name: name})
	if selectErr == nil || ctx.Err() != nil {
		return selectErr
	}
	existing, err := s.query(ctx, request{Verb: "workspace list"})
	if err != nil {
		return err
	}
	if slices.Contains(existing.Names, name) {
		return selectErr
	}
	if _, err := s.command(ctx, out, request{Verb: "workspace new", Name: name}); err != nil {
		return err
	}
	if now := s.selectedWorkspace(); now != name {
		return fmt.Errorf("select Terraform workspace %q: %w", name, errors.New("it is "+now+" still"))
	}
	s.note("made Terraform workspace %q", name)
	return nil
}

func (s *Session) selectedWorkspace() string {
	data, err := readRegular(filepath.Join(s.initDir(), "environment"))
	if err != nil || len(data) == 0 {
		return "default"
	}
	return string(data)
}
