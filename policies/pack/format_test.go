package pack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// TestRegoIsFormatted holds the rules and their tests to what `opa fmt` makes of them; -update formats them.
func TestRegoIsFormatted(t *testing.T) {
	var names []string
	for _, pattern := range []string{"lib/*.rego", "terraform/*.rego", "kubernetes/*.rego", "tests/*.rego", "tests/*/*.rego"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, more...)
	}
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want, err := format.SourceWithOpts(name, src, format.Opts{RegoVersion: ast.RegoV1})
		if err != nil {
			t.Fatal(err)
		}
		if string(src) == string(want) {
			continue
		}
		if !*update {
			t.Errorf("%s is not formatted: go test ./policies/pack -run Formatted -update", name)
		} else if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
