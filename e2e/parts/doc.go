// Package parts finds or builds the real programs that tests, the demo and the bench run against: a Kubernetes cluster,
// Terraform, OpenTofu, providers and Gitea. All are built from Go modules, once, into a cache outside the source tree:
//
//	${XDG_CACHE_HOME:-$HOME/.cache}/mooring-e2e/<name>-<version>
//
// One process builds at a time and others wait for it; a part appears under its name only when it is whole. The version
// is derived from what a part is built from, so that a change makes a new one and never a stale one.
//
// Functions build what is missing and say so on the writer they are given. The …ForTest functions skip the test aloud
// instead, unless MOORING_E2E_BUILD=1 or CI=true; under CI=true what cannot be had fails the test.
package parts
