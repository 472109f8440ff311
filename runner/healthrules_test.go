package runner

import (
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/workspace"
)

// The faults of an expression come with its key, so that the scan can say the line.
func TestHealthFaults(t *testing.T) {
	for _, tt := range []struct {
		name       string
		rule       workspace.HealthRule
		part, want string
	}{
		{"syntax", workspace.HealthRule{Kind: "example.com/W", Healthy: "object.a =="}, "healthy", "column 12: Syntax error"},
		{"healthy is missing", workspace.HealthRule{Kind: "example.com/W"}, "healthy", "a rule says what healthy is"},
		{"failed is no truth value", workspace.HealthRule{Kind: "W", Healthy: "true", Failed: "'no'"}, "failed", "the expression gives string, and must give bool"},
		{"kind with a version", workspace.HealthRule{Kind: "v1/Pod", Healthy: "true"}, "kind", `"v1/Pod" has a version where the group belongs`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			faults := HealthFaults(tt.rule)
			if len(faults) != 1 || faults[0].Part != tt.part || !strings.HasPrefix(faults[0].Err.Error(), tt.want) {
				t.Errorf("%+v, want %s: %s", faults, tt.part, tt.want)
			}
		})
	}
	good := workspace.HealthRule{Kind: "example.com/W", Healthy: "object.status.phase == 'Ready'"}
	if faults := HealthFaults(good); len(faults) > 0 {
		t.Errorf("%+v", faults)
	}
	if compiled, err := healthRules([]workspace.HealthRule{good}); err != nil || compiled.For("example.com", "W") == nil {
		t.Errorf("%v", err)
	}
}
