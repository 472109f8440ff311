package workspace

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	good := []string{"a", "infra/network", "infra/network:prod", "a b", "ümlaut", "a..b", ".", "a-b", "x/-y", "..."}
	for _, name := range good {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	bad := []string{"", "..", "a/../b", "../a", "a/..", "-a", "--destroy", "/a", " a", "a ", "a\nb", "a\x00b", "a\x1b[31m", "a\u202eb", "a\u200bb", "a\\b", "a\xff", strings.Repeat("x", 513)}
	for _, name := range bad {
		if err := CheckName(name); !errors.Is(err, ErrBadName) {
			t.Errorf("%q passed: %v", name, err)
		}
	}
}

func TestCheckTerraformWorkspace(t *testing.T) {
	for _, name := range []string{"default", "prod", "prod-1", "a.b", "a_b"} {
		if err := CheckTerraformWorkspace(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", "a b", "ü", "-x", "a;b", "a%20b"} {
		if err := CheckTerraformWorkspace(name); !errors.Is(err, ErrBadName) {
			t.Errorf("%q passed: %v", name, err)
		}
	}
}

func TestDirectoriesWithUnusableNamesAreLeftOutAloud(t *testing.T) {
	tree := treeOf("-- ok/main.tf --\n")
	tree.files["-rf/main.tf"] = "# x\n"
	tree.files["a\x1b[2J/main.tf"] = "# x\n"
	g := scanTree(t, tree)
	if got := unitIDs(g); got != "ok" {
		t.Errorf("units %q", got)
	}
	if len(g.Warnings) != 2 {
		t.Errorf("warnings %q", warnings(g))
	}
}
