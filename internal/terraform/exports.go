package terraform

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// StateDir is where a data directory keeps the states of a repository that would lie in its checkout, for those who only read it.
func StateDir(dataDir, repository string) string {
	return filepath.Join(dataDir, "state", repositoryName(repository))
}

// CollectPlans removes every saved plan but those to keep, by path: plans hold sensitive values in clear, and a run that was
// killed leaves its own behind. No session may be open.
func (h *Home) CollectPlans(keep map[string]bool) error {
	err := filepath.WalkDir(h.plans, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || keep[path] {
			return err
		}
		return os.Remove(path)
	})
	if err != nil {
		return fmt.Errorf("collect saved plans: %w", err)
	}
	return nil
}

// Owned tells that an environment variable is set by Mooring alone, and refused in Spec.Env.
func Owned(name string) bool {
	for _, owned := range ownedEnv {
		if prefix, many := strings.CutSuffix(owned, "*"); name == owned || many && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
