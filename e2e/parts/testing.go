package parts

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// ClusterForTest returns the cluster that all tests of this process share, and starts it for the first of them: the
// whole of it, so that Deployments become ready. Use a namespace of your own. It ends with the process.
func ClusterForTest(t testing.TB) *RunningCluster {
	t.Helper()
	binary := needCluster(t)
	shared.once.Do(func() { shared.cluster, shared.err = startShared(binary) })
	if shared.err != nil {
		t.Fatalf("%v", shared.err)
	}
	return shared.cluster
}

// OwnClusterForTest starts a cluster for one test, for tests that stop it or change what all would notice.
func OwnClusterForTest(t testing.TB, options ClusterOptions) *RunningCluster {
	t.Helper()
	binary := needCluster(t)
	cluster, err := startCluster(t.Context(), binary, t.TempDir(), options)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(cluster.Stop)
	return cluster
}

// KubectlForTest returns the path of the cluster's kubectl.
func KubectlForTest(t testing.TB) string {
	t.Helper()
	return filepath.Join(filepath.Dir(needCluster(t)), kubectlBinary)
}

// TerraformForTest returns the path of a real Terraform.
func TerraformForTest(t testing.TB) string {
	t.Helper()
	return need(t, "Terraform", Terraform, foundTerraform)
}

// OpenTofuForTest returns the path of a real OpenTofu.
func OpenTofuForTest(t testing.TB) string {
	t.Helper()
	return need(t, "OpenTofu", OpenTofu, openTofuPart.found(openTofuBinary))
}

// ProvidersForTest returns the directory of the mirror that holds real providers; see [Providers].
func ProvidersForTest(t testing.TB) string {
	t.Helper()
	return need(t, "the providers", Providers, providersPart.found(""))
}

// GiteaForTest returns the directory of a real Gitea; see [Gitea]. Package e2e/gitea runs it.
func GiteaForTest(t testing.TB) string {
	t.Helper()
	return need(t, "Gitea", Gitea, giteaPart.found(""))
}

// needCluster returns the path of the cluster's binary. Under -short a test that wants it is skipped, everywhere.
func needCluster(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED, NOT TESTED: -short leaves out what needs the Kubernetes cluster")
	}
	return need(t, "the Kubernetes cluster", Cluster, foundCluster)
}

// shared is the cluster of this process.
var shared struct {
	once    sync.Once
	cluster *RunningCluster
	err     error
}

// startShared starts the cluster of this process in a directory that the cluster removes when it ends, because nothing
// in this process runs after its last test.
func startShared(binary string) (*RunningCluster, error) {
	dir, err := os.MkdirTemp("", "mooring-e2e-cluster-")
	if err != nil {
		return nil, err
	}
	return startCluster(context.Background(), binary, dir, ClusterOptions{}, "--remove")
}

// need returns the path of a part. One that is not there is built under MOORING_E2E_BUILD=1 or CI=true; else the test
// is skipped aloud. What cannot be had under CI=true is a failure.
func need(t testing.TB, what string, ensure func(context.Context, io.Writer) (string, error), found func() (string, error)) string {
	t.Helper()
	ci := os.Getenv("CI") == "true"
	path, err := found()
	if errors.Is(err, ErrNotBuilt) && (ci || os.Getenv("MOORING_E2E_BUILD") == "1") {
		path, err = ensure(t.Context(), os.Stderr)
	}
	switch {
	case err == nil:
		return path
	case ci:
		t.Fatalf("%s is needed: %v", what, err)
	default:
		t.Skipf("SKIPPED, NOT TESTED: %s is needed (%v). Run `make parts-all` once, or set MOORING_E2E_BUILD=1.", what, err)
	}
	return ""
}
