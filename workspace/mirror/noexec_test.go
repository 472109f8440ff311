package mirror_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Reading a repository starts no process: nothing that this package is built
// from can. (go-git's root package and its file transport would.)
func TestNothingHereCanStartAProcess(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "github.com/go-git/go-git/v5/plumbing") {
		t.Fatalf("the list of dependencies is not one: %q", deps)
	}
	for _, banned := range []string{"os/exec", "github.com/go-git/go-git/v5/plumbing/transport/file"} {
		if slices.Contains(deps, banned) {
			t.Errorf("%s is among the dependencies", banned)
		}
	}
}
