package workspace

import (
	"strings"
	"testing"
)

const healthRepository = `
health "example.com/Widget" {
  healthy = "object.status.phase == 'Ready'"
  failed  = "object.status.phase == 'Broken'"
  message = "object.status.reason"
}
-- k8s/x.yaml --
x: 1
`

func TestHealthRulesReachEveryManifestSet(t *testing.T) {
	g := scanArchive(t, "-- mooring.hcl --\nmanifests \"m\" {\n  path = \"m\"\n}\nworkspace \"w\" { dir = \"w\" }\n"+strings.TrimPrefix(healthRepository, "\n")+"-- m/y.yaml --\ny: 1\n-- w/main.tf --\n")
	sets := 0
	for _, u := range g.Units {
		rule := u.Health.For("example.com", "Widget")
		if u.Kind == KindWorkspace {
			if rule != nil {
				t.Errorf("%s has a health rule", u.ID)
			}
			continue
		}
		sets++
		if rule == nil {
			t.Fatalf("%s has no health rule", u.ID)
		}
		v := rule.Evaluate(map[string]any{"status": map[string]any{"phase": "Broken", "reason": "no power"}})
		if !v.Failed || v.Message != "no power" {
			t.Errorf("%s: %+v", u.ID, v)
		}
	}
	if sets != 2 {
		t.Errorf("%d manifest sets, want 2", sets)
	}
}

func TestHealthRuleMistakes(t *testing.T) {
	for _, tt := range []struct{ name, block, want string }{
		{"syntax", "health \"example.com/W\" {\n  healthy = \"object.a ==\"\n}\n", `mooring.hcl:2: Bad healthy: Column 12: Syntax error`},
		{"healthy is missing", "\nhealth \"example.com/W\" {\n}\n", "mooring.hcl:2: Bad healthy: A rule says what healthy is."},
		{"failed is no truth value", "health \"example.com/W\" {\n  healthy = \"true\"\n  failed = \"'no'\"\n}\n", "mooring.hcl:3: Bad failed: The expression gives string, and must give bool."},
		{"kind with a version", "health \"v1/Pod\" {\n  healthy = \"true\"\n}\n", `mooring.hcl:1: Bad health rule: "v1/Pod" has a version where the group belongs; write "Pod" for the core group.`},
		{"twice", "health \"Pod\" {\n  healthy = \"true\"\n}\nhealth \"Pod\" {\n  healthy = \"false\"\n}\n", `mooring.hcl:4: Duplicate health rule: There is one for "Pod" already in line 1.`},
		{"no string", "health \"Pod\" {\n  healthy = true\n}\n", "mooring.hcl:2: Wrong type: healthy must be a string."},
		{"an output", "health \"Pod\" {\n  healthy = workspace.a.outputs.x\n}\n", "mooring.hcl:2: Not known in time: "},
		{"another key", "health \"Pod\" {\n  healthy = \"true\"\n  script = \"rm\"\n}\n", "mooring.hcl:3: Unsupported argument: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, diags := parseConfig([]byte(tt.block))
			if !diags.HasErrors() {
				t.Fatal("no mistake was found")
			}
			if got := (&ConfigError{Diags: diags}).Error(); !strings.HasPrefix(got, tt.want) {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
