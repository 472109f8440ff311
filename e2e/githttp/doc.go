// Package githttp is a real Git server over http for tests and the demo: `git http-backend` behind a small handler.
//
// A [Server] serves every bare repository below one directory, counts requests, can ask for a token and can fail on
// demand. A [Repo] writes commits straight into such a repository (git fast-import, so a commit of 5,000 files is one
// process) and a [Git] runs git commands that never see the person's own configuration.
package githttp

import "context"

// TB is the part of testing.TB that this package needs, so that a program which is no test can stand in for one.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
	TempDir() string
	Context() context.Context
}
