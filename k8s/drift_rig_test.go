package k8s

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// drift scans what the rig has applied, and fails on any request that could write.
func (r *rig) drift(manifests string) (DriftReport, error) {
	r.Helper()
	objects := r.render(manifests)
	r.forgetRequests()
	report, err := r.c.Drift(r.Context(), r.set, objects, r.inv, DriftOptions{})
	if w := r.writes(); len(w) > 0 {
		r.Errorf("a scan for drift wrote: %v", w)
	}
	return report, err
}

func (r *rig) mustDrift(manifests string) DriftReport {
	r.Helper()
	report, err := r.drift(manifests)
	if err != nil {
		r.Fatalf("drift: %v\n%s", err, drifts(report))
	}
	return report
}

// drifts is one line an object and one a field: "changed ConfigMap/a", "  data.k: v -> w by kubectl-edit".
func drifts(report DriftReport) string {
	var b strings.Builder
	for _, o := range report.Objects {
		fmt.Fprintf(&b, "%s %s/%s", o.State, o.ID.Kind, o.ID.Name)
		if o.Health != "" {
			fmt.Fprintf(&b, " %s", o.Health)
		}
		b.WriteString("\n")
		for _, f := range o.Fields {
			wanted, _ := json.Marshal(f.Wanted)
			live, _ := json.Marshal(f.Live)
			fmt.Fprintf(&b, "  %s: %s -> %s by %s\n", f.Path, wanted, live, strings.TrimSpace(f.By+" "+f.Sub))
		}
	}
	return b.String()
}

// mustFind compares with drifts, its lines trimmed of the tabs they are written with.
func (r *rig) mustFind(report DriftReport, want string) {
	r.Helper()
	want = strings.ReplaceAll(strings.TrimLeft(want, "\n"), "\t", "")
	if got := drifts(report); got != want {
		r.Errorf("found:\n%swant:\n%s", got, want)
	}
}

func (r *rig) mustFindNothing(manifests string) DriftReport {
	r.Helper()
	report := r.mustDrift(manifests)
	if len(report.Objects) > 0 || len(report.Unseen) > 0 || len(report.Undeployed) > 0 || report.Checked != len(r.inv.Items) {
		r.Errorf("found of %d objects in %d:\n%s%v %v", len(r.inv.Items), report.Checked, drifts(report), report.Unseen, report.Undeployed)
	}
	return report
}

// scale sets replicas through the scale subresource, as a person or an autoscaler would.
func (r *rig) scale(by, name string, replicas int) {
	r.Helper()
	r.subresource(by, r.path("apps/v1", "Deployment", name)+"/scale", fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas))
}

func (r *rig) subresource(by, path, patch string) {
	r.Helper()
	if err := r.patch(by, path, patch); err != nil {
		r.Fatal(err)
	}
}

// take applies an object as another manager that takes over what it wants.
func (r *rig) take(by, apiVersion, kind, name, body string) {
	r.Helper()
	err := r.c.rest.Patch("application/apply-patch+yaml").AbsPath(r.path(apiVersion, kind, name)).Param("fieldManager", by).
		Param("force", "true").Body([]byte(body)).Do(r.Context()).Error()
	if err != nil {
		r.Fatalf("apply of %s: %v", by, err)
	}
}

// fieldOf is one field of what a scan found.
func fieldOf(t testing.TB, report DriftReport, path string) FieldDrift {
	t.Helper()
	for _, o := range report.Objects {
		if i := slices.IndexFunc(o.Fields, func(f FieldDrift) bool { return f.Path == path }); i >= 0 {
			return o.Fields[i]
		}
	}
	t.Fatalf("no field %s in\n%s", path, drifts(report))
	return FieldDrift{}
}
