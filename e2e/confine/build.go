package confine

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Build builds denyns for one test and returns its path. Where there is no seccomp the test is skipped aloud, and fails
// under CI=true. The build is in Go's cache after the first.
func Build(t testing.TB) string {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no confinement on %s/%s", runtime.GOOS, runtime.GOARCH)
		}
		t.Skipf("SKIPPED, NOT TESTED: no confinement on %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	bin := filepath.Join(t.TempDir(), "denyns")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "github.com/mooring-iac/mooring/e2e/confine/cmd")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build denyns: %v\n%s", err, out)
	}
	return bin
}
