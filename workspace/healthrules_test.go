package workspace

import (
	"errors"
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
		if u.Kind == KindWorkspace {
			if len(u.Health) > 0 {
				t.Errorf("%s has a health rule", u.ID)
			}
			continue
		}
		sets++
		want := HealthRule{Kind: "example.com/Widget", Healthy: "object.status.phase == 'Ready'", Failed: "object.status.phase == 'Broken'", Message: "object.status.reason"}
		if len(u.Health) != 1 || u.Health[0] != want {
			t.Errorf("%s has %+v", u.ID, u.Health)
		}
	}
	if sets != 2 {
		t.Errorf("%d manifest sets, want 2", sets)
	}
}

func TestHealthRuleMistakes(t *testing.T) {
	for _, tt := range []struct{ name, block, want string }{
		{"what a check finds", "health \"Pod\" {\n  healthy = \"true\"\n  failed = \"bad\"\n}\n", "mooring.hcl:3: Bad failed: It is bad."},
		{"twice", "health \"Pod\" {\n  healthy = \"true\"\n}\nhealth \"Pod\" {\n  healthy = \"false\"\n}\n", `mooring.hcl:4: Duplicate health rule: There is one for "Pod" already in line 1.`},
		{"no string", "health \"Pod\" {\n  healthy = true\n}\n", "mooring.hcl:2: Wrong type: healthy must be a string."},
		{"an output", "health \"Pod\" {\n  healthy = workspace.a.outputs.x\n}\n", "mooring.hcl:2: Not known in time: "},
		{"another key", "health \"Pod\" {\n  healthy = \"true\"\n  script = \"rm\"\n}\n", "mooring.hcl:3: Unsupported argument: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, diags := parseConfig([]byte(tt.block), func(r HealthRule) []HealthFault {
				if r.Failed == "bad" {
					return []HealthFault{{Part: "failed", Err: errors.New("it is bad")}}
				}
				return nil
			})
			if !diags.HasErrors() {
				t.Fatal("no mistake was found")
			}
			if got := (&ConfigError{Diags: diags}).Error(); !strings.HasPrefix(got, tt.want) {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
