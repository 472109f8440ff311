package gitea

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// hooks stand in for those of every repository, which start a chain of shells and Gitea itself: three times a push, and twice
// that where a branch of a pull request moves. What Gitea's own code (cmd/hook.go) does there at once, and without asking its
// server, they do; for what it asks its server, they start a program that asks the same and is there at once. Only Gitea's
// proc-receive is its own. Git calls a hook in the repository.
var hooks = map[string]string{
	"pre-receive": `#!/bin/sh
[ "$GITEA_INTERNAL_PUSH" = true ] && exit 0
GITEA_INTERNAL_TOKEN={token} exec {program} pre-receive {server}
`,
	"update": `#!/bin/sh
[ "$GITEA_INTERNAL_PUSH" = true ] && exit 0
case $1 in
refs/pull/*) exit 1 ;;
esac
`,
	"post-receive": `#!/bin/sh
git update-server-info || exit
[ "$GITEA_INTERNAL_PUSH" = true ] && exit 0
GITEA_INTERNAL_TOKEN={token} exec {program} post-receive {server}
`,
	"proc-receive": `#!/bin/sh
exec hooks/proc-receive
`,
}

func hooksDir(dir string) string { return filepath.Join(dir, "hooks") }

// writeHooks lays the hooks below dir, and the program that they start: the cache of parts is out of the user's reach.
func (u user) writeHooks(dir, program, token string, port *reservedPort) error {
	if err := os.Mkdir(hooksDir(dir), 0o755); err != nil {
		return err
	}
	place := filepath.Join(hooksDir(dir), filepath.Base(program))
	if err := copyFile(program, place); err != nil {
		return fmt.Errorf("write hook: %w", err)
	}
	fill := strings.NewReplacer("{program}", place, "{token}", token, "{server}", "http://"+port.address())
	for name, script := range hooks {
		path := filepath.Join(hooksDir(dir), name)
		if err := u.write(path, fill.Replace(script)); err != nil {
			return fmt.Errorf("write hook: %w", err)
		}
		if err := os.Chmod(path, 0o700); err != nil { // for the user alone: the token is in it
			return fmt.Errorf("write hook: %w", err)
		}
	}
	return nil
}
