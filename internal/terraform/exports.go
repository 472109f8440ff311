package terraform

import (
	"path/filepath"
	"strings"
)

// StateDir is where a data directory keeps the states of a repository that would lie in its checkout, for those who only read it.
func StateDir(dataDir, repository string) string {
	return filepath.Join(dataDir, "state", repositoryName(repository))
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
