package gitea

import (
	"fmt"
	"os"
	"path/filepath"
)

// hooks stand before those of every repository, which start Gitea three times a push and twice that where a branch of a
// pull request moves. What Gitea's own code (cmd/hook.go) does there at once, and without asking its server, they do:
// starting it only for that costs far more than the push. Git calls a hook in the repository.
var hooks = map[string]string{
	"pre-receive": `#!/bin/sh
[ "$GITEA_INTERNAL_PUSH" = true ] && exit 0
exec hooks/pre-receive
`,
	"update": `#!/bin/sh
[ "$GITEA_INTERNAL_PUSH" = true ] && exit 0
case $1 in
refs/pull/*) exec hooks/update "$@" ;;
esac
`,
	"post-receive": `#!/bin/sh
[ "$GITEA_INTERNAL_PUSH" = true ] && exec git update-server-info
exec hooks/post-receive
`,
	"proc-receive": `#!/bin/sh
exec hooks/proc-receive
`,
}

func hooksDir(dir string) string { return filepath.Join(dir, "hooks") }

func (u user) writeHooks(dir string) error {
	if err := os.Mkdir(hooksDir(dir), 0o755); err != nil {
		return err
	}
	for name, script := range hooks {
		path := filepath.Join(hooksDir(dir), name)
		if err := u.write(path, script); err != nil {
			return fmt.Errorf("write hook: %w", err)
		}
		if err := os.Chmod(path, 0o755); err != nil {
			return fmt.Errorf("write hook: %w", err)
		}
	}
	return nil
}
