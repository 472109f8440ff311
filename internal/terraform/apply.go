package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-exec/tfexec"
	"golang.org/x/sys/unix"
)

// Apply carries out exactly the saved plan in planFile, and removes the file whatever came of it: a plan is used once. Errors:
// ErrNoSpace (nothing was started, the file stays), ErrStalePlan (nothing was applied), *CommandError. After an error some resources may
// have been applied; the state says which.
func (s *Session) Apply(ctx context.Context, out io.Writer, planFile string) error {
	if !s.ready {
		return fmt.Errorf("apply %s: not initialised", s.spec.Key)
	}
	// An empty path would have Terraform plan and apply whatever it finds.
	if info, err := os.Stat(planFile); err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return fmt.Errorf("apply %s: no plan in file %q", s.spec.Key, planFile)
	}
	if err := s.checkSpace(); err != nil {
		return fmt.Errorf("apply %s: %w", s.spec.Key, err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("apply %s: %w", s.spec.Key, err)
	}
	err := s.command(ctx, "apply", out, s.env(nil), func(ctx context.Context) error {
		return s.tf.Apply(ctx, tfexec.DirOrPlan(planFile), tfexec.LockTimeout(s.home.opts.LockTimeout.String()), tfexec.Parallelism(s.home.opts.Parallelism))
	})
	var failed *CommandError
	if errors.As(err, &failed) && (strings.HasPrefix(failed.Summary, "Saved plan is stale") || strings.HasPrefix(failed.Summary, "Saved plan does not match the given state")) {
		failed.Err = ErrStalePlan
	}
	if errRemove := os.Remove(planFile); errRemove != nil && !os.IsNotExist(errRemove) {
		s.note("the used plan file could not be removed: %v", errRemove)
	}
	return errors.Join(err, s.keepErrored(), s.state.show(s.view))
}

// checkSpace looks at every file system that an apply writes to. A disk that fills during an apply costs the state.
func (s *Session) checkSpace() error {
	dirs := []string{s.home.state, s.tmp}
	if s.state.current != "" {
		dirs = append(dirs, filepath.Dir(s.state.current))
	}
	for _, dir := range dirs {
		var fs unix.Statfs_t
		if err := unix.Statfs(dir, &fs); err != nil {
			if errors.Is(err, unix.ENOENT) {
				continue // Terraform makes the directory of an absolute path
			}
			return fmt.Errorf("look at free space of %s: %w", dir, err)
		}
		if free := fs.Bavail * uint64(fs.Bsize); free < s.home.opts.FreeSpace {
			return fmt.Errorf("%w: %s has %d MiB free, %d MiB are required before an apply; nothing was started", ErrNoSpace, dir, free>>20, s.home.opts.FreeSpace>>20)
		}
	}
	return nil
}
