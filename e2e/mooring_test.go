package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// mooringIn puts a Mooring into a directory, which `go build` alone has made, and returns its path.
func mooringIn(t *testing.T, dir string) string {
	t.Helper()
	content, err := mooring()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "mooring")
	if err := os.WriteFile(path, content, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// mooring is the program, which is linked once for all tests: that takes far longer than most of them.
var mooring = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "mooring-e2e-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays is the system's to clear
	path := filepath.Join(dir, "mooring")
	if out, err := exec.Command("go", "build", "-o", path, "../cmd/mooring").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	return os.ReadFile(path)
})
