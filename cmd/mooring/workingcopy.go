package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path"
	"strings"

	"github.com/mooring-iac/mooring/workspace"
)

// ignored tells which entries of a working copy are no part of it: everything
// that its walk does not report, and directories with nothing else in them.
func ignored(tree *workspace.DirTree) (func(string) bool, error) {
	counts := map[string]bool{".": true}
	err := tree.Walk(func(p string, _ fs.FileMode, _ string) error {
		for ; !counts[p]; p = path.Dir(p) {
			counts[p] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return func(p string) bool { return !counts[path.Clean(p)] }, nil
}

// leftAt is the commit at which the history of a working copy left a revision.
func leftAt(ctx context.Context, dir, revision string) (string, error) {
	if strings.HasPrefix(revision, "-") {
		return "", fmt.Errorf("--base %q is not a revision", revision)
	}
	commit, err := git(ctx, dir, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("--base %q: %w", revision, err)
	}
	// Work on the base since the branch left it is not this working copy's. A
	// history without a common commit is compared with the base itself.
	if common, err := git(ctx, dir, "merge-base", strings.TrimSpace(commit), "HEAD"); err == nil {
		commit = common
	}
	return strings.TrimSpace(commit), nil
}

// changedSince lists the files of a working copy, relative to dir, that differ
// from a commit, uncommitted and new ones included. It asks git, which the owner
// of a working copy has; nothing is written.
func changedSince(ctx context.Context, dir, commit string) ([]string, error) {
	tracked, err := git(ctx, dir, "diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "--relative", commit, "--")
	if err != nil {
		return nil, fmt.Errorf("compare with %s: %w", commit, err)
	}
	fresh, err := git(ctx, dir, "ls-files", "-z", "--others", "--exclude-standard")
	if err != nil {
		return nil, fmt.Errorf("compare with %s: %w", commit, err)
	}
	var paths []string
	for p := range strings.SplitSeq(tracked+fresh, "\x00") {
		if p != "" {
			paths = append(paths, p)
		}
	}
	return paths, nil
}

func gitCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	// A file system monitor is a program that the repository's configuration names.
	return exec.CommandContext(ctx, "git", append([]string{"-C", dir, "-c", "core.fsmonitor=false", "--no-optional-locks"}, args...)...)
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := gitCommand(ctx, dir, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if text := strings.TrimSpace(stderr.String()); text != "" {
			return "", errors.New(text)
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return "", errors.New("git does not know it")
		}
		return "", err
	}
	return string(out), nil
}
