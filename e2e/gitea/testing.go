package gitea

import (
	"context"
	"sync"
	"testing"

	"github.com/mooring-iac/mooring/e2e/parts"
)

// Server is a [Running] Gitea as one test uses it.
type Server struct {
	*Running
	t TB
}

// For is the server as another test, or no test at all, uses it.
func (r *Running) For(t TB) *Server { return &Server{Running: r, t: t} }

// Start runs a server for one test, for tests that stop it or change what all would notice.
func Start(t testing.TB) *Server {
	t.Helper()
	running, err := run(t.Context(), parts.GiteaForTest(t), "")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what Gitea said last:\n%s", running.lastWords())
		}
		running.Stop()
	})
	return running.For(t)
}

// Shared returns the server that all tests of this process share, and starts it for the first of them. What a test makes
// there is its own, since no name is given twice. It ends with the process.
func Shared(t testing.TB) *Server {
	t.Helper()
	part := parts.GiteaForTest(t)
	shared.once.Do(func() { shared.running, shared.err = run(context.Background(), part, "") })
	if shared.err != nil {
		t.Fatalf("%v", shared.err)
	}
	return shared.running.For(t)
}

// shared is the server of this process.
var shared struct {
	once    sync.Once
	running *Running
	err     error
}
