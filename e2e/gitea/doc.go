// Package gitea runs a real Gitea for tests and the bench, and does there what people do.
//
// A [Running] is a server on loopback with a directory of its own, which ends with this process at the latest. A
// [Server] is the same as one test uses it: its methods, and those of the [Repo] and [Pull] values it hands out, end
// that test with Gitea's own words when Gitea refuses. Who does a thing is always said: repo.Push(ada, …),
// pull.Approve(bob).
//
//	server := gitea.Shared(t)
//	ada, bob := server.User("ada"), server.User("bob")
//	infra := server.Repository(ada, "infra", map[string]string{"main.tf": "…"})
//	infra.Collaborator(bob, "write")
//	infra.Push(ada, "topic", "Add network", map[string]string{"network/main.tf": "…"})
//	pull := infra.Open(ada, "topic", gitea.Branch, "Add network")
//	pull.Approve(bob)
//	commit := pull.Merge(bob, "squash")
package gitea

import "github.com/mooring-iac/mooring/e2e/githttp"

// TB is the part of testing.TB that a [Server] needs, so that the bench can stand in for a test.
type TB = githttp.TB

// Branch is the default branch of every repository.
const Branch = githttp.Branch
