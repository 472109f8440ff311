package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
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
	selectErr := s.query(ctx, "workspace select", func(ctx context.Context) error {
		return s.tf.WorkspaceSelect(ctx, name)
	})
	if selectErr == nil || ctx.Err() != nil {
		return selectErr
	}
	var existing []string
	err := s.query(ctx, "workspace list", func(ctx context.Context) (err error) {
		existing, _, err = s.tf.WorkspaceList(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if slices.Contains(existing, name) {
		return selectErr
	}
	if err := s.command(ctx, "workspace new", out, s.env(nil), func(ctx context.Context) error {
		return s.tf.WorkspaceNew(ctx, name)
	}); err != nil {
		return err
	}
	if now := s.selectedWorkspace(); now != name {
		return fmt.Errorf("select Terraform workspace %q: %w", name, errors.New("it is "+now+" still"))
	}
	s.note("made Terraform workspace %q", name)
	return nil
}

func (s *Session) selectedWorkspace() string {
	data, err := os.ReadFile(filepath.Join(s.initDir(), "environment"))
	if err != nil || len(data) == 0 {
		return "default"
	}
	return string(data)
}
