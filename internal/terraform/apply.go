package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Applied is what an apply left.
type Applied struct {
	// State is known where the state is a local file. Elsewhere it has outputs alone, where those were asked for.
	State StateInfo
	// OutputsKnown tells that State.Outputs are the outputs as they are now.
	OutputsKnown bool
}

// ApplyOptions say what is wanted beside the apply. The zero value is the apply alone.
type ApplyOptions struct {
	Outputs bool     // the outputs are wanted, wherever the state is
	Secrets []string // hidden in what is printed, beside those of the plan
}

// Apply carries out exactly the plan, whose file is gone then whatever came of it: a plan is used once. Errors: ErrNoSpace (nothing was
// started), ErrStalePlan (nothing was applied), ErrLost (nobody saw the end), ErrHandedOver (it goes on), *CommandError. After an error some
// resources may have been applied; the state says which.
func (s *Session) Apply(ctx context.Context, out io.Writer, plan *Plan, opts ApplyOptions) (Applied, error) {
	if !s.ready {
		return Applied{}, fmt.Errorf("apply %s: not initialised", s.spec.Key)
	}
	if plan == nil || plan.session != s || plan.Digest == "" {
		return Applied{}, fmt.Errorf("apply %s: no plan of this session", s.spec.Key)
	}
	if err := s.checkSpace(); err != nil {
		return Applied{}, fmt.Errorf("apply %s: %w", s.spec.Key, err)
	}
	if err := ctx.Err(); err != nil {
		return Applied{}, fmt.Errorf("apply %s: %w", s.spec.Key, err)
	}
	rep, err := s.command(ctx, out, request{
		Verb: "apply", Name: plan.name, Digest: plan.Digest, Outputs: opts.Outputs, Env: s.env(s.spec.ApplyEnv),
		Secrets: secretBytes(append(opts.Secrets, plan.secrets...)),
	})
	if errors.Is(err, ErrHandedOver) {
		return Applied{}, err
	}
	return appliedOf(rep), errors.Join(err, s.keepErrored(), s.keepSealed(), s.state.show(s.view))
}

func appliedOf(rep reply) Applied {
	if rep.State == nil {
		return Applied{}
	}
	return Applied{State: *rep.State, OutputsKnown: rep.State.Outputs != nil}
}

// checkSpace looks at every file system that an apply writes to. A disk that fills during an apply costs the state.
func (s *Session) checkSpace() error {
	dirs := []string{s.home.state, s.run}
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
