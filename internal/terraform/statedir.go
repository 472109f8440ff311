package terraform

import "path/filepath"

// StateDir is where a data directory keeps the states of a repository that would
// lie in its checkout, for those who only read it.
func StateDir(dataDir, repository string) string {
	return filepath.Join(dataDir, "state", repositoryName(repository))
}
