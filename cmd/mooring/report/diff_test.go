package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/runner"
)

func TestDiffsOfObjects(t *testing.T) {
	crd := "+apiVersion: apiextensions.k8s.io/v1\n" + strings.Repeat("+  line: of many\n", 99)
	r := runner.Run{Repository: "infra", Status: runner.Planned, Units: []runner.UnitResult{{
		ID: "apps", Kind: runner.KindManifests, Status: runner.Planned, Created: 1, Configured: 2, Recreated: 1, Pruned: 1, Same: 1,
		Objects: []runner.ObjectResult{
			{Ref: "v1 ConfigMap web/old", Action: "pruned", Message: "no longer in the set"},
			{Ref: "batch/v1 Job web/migrate", Action: "recreated", Message: "spec.template cannot be changed", Diff: &k8s.Diff{Text: "@@ spec.template.spec.containers[name=m] @@\n       - name: m\n-        image: m:1\n+        image: m:2\n"}},
			{Ref: "apps/v1 Deployment web/api", Action: "configured", Diff: &k8s.Diff{Note: "holds values known only after apply", Text: "@@ spec @@\n spec:\n-  replicas: 2\n+  replicas: (known after apply)\n   text: \x1b[31m\n"}},
			{Ref: "v1 Service web/api", Action: "configured", Diff: &k8s.Diff{Adopts: true}},
			{Ref: "apiextensions.k8s.io/v1 CustomResourceDefinition things.example.com", Action: "created", Diff: &k8s.Diff{Text: crd}},
			{Ref: "v1 Namespace web", Action: "unchanged"},
		},
	}}}
	var plainText, colours bytes.Buffer
	for w, s := range map[*bytes.Buffer]Style{&plainText: plain, &colours: terminal} {
		if err := Run(w, &r, Options{Style: s, Preview: true, Full: true}); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "diff-plain", plainText.String())
	golden(t, "diff-terminal", colours.String())
	if strings.Contains(plainText.String(), "\x1b") {
		t.Error("the plain report has escape sequences")
	}
}

func TestPrunedObjectsAreNeverCut(t *testing.T) {
	u := runner.UnitResult{ID: "big", Kind: runner.KindManifests, Status: runner.Held, Pruned: 500, Created: 500}
	for i := range 500 {
		u.Objects = append(u.Objects, runner.ObjectResult{Ref: fmt.Sprintf("v1 ConfigMap a/new-%d", i), Action: "created"}, runner.ObjectResult{Ref: fmt.Sprintf("v1 ConfigMap a/old-%d", i), Action: "pruned"})
	}
	var b bytes.Buffer
	if err := Run(&b, &runner.Run{ID: "r", Repository: "infra", Units: []runner.UnitResult{u}}, Options{}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "ConfigMap a/old-"); n != 500 {
		t.Errorf("%d of 500 pruned objects are shown", n)
	}
	if n := strings.Count(b.String(), "ConfigMap a/new-"); n > fewChanges {
		t.Errorf("%d created ones are shown", n)
	}
}
