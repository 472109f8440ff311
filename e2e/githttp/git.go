package githttp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Git runs git in one directory with a configuration of its own: no system or personal config, a fixed author, no prompt.
type Git struct {
	Dir string   // working directory of each command
	Env []string // additions to the environment, KEY=value
}

// Run runs `git args…` and returns its standard output without trailing newlines. The error holds standard error.
func (g Git) Run(ctx context.Context, args ...string) (string, error) {
	return g.run(ctx, nil, args...)
}

func (g Git) run(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = g.Dir, stdin, &stdout, &stderr
	cmd.Env = append(hermetic(g.Dir), g.Env...)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s in %s: %w\n%s", strings.Join(args, " "), g.Dir, err, stderr.Bytes())
	}
	return strings.TrimRight(stdout.String(), "\n"), nil
}

// hermetic is an environment in which git sees no configuration but a repository's own.
func hermetic(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + home,
		"LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=" + authorName, "GIT_AUTHOR_EMAIL=" + authorEmail,
		"GIT_COMMITTER_NAME=" + authorName, "GIT_COMMITTER_EMAIL=" + authorEmail,
	}
}

const (
	authorName  = "Ada Example"
	authorEmail = "ada@example.com"
)
