package k8s

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestDriftNamesWhatSomebodyEditedAndWho(t *testing.T) {
	r := newRig(t)
	manifests := configMap("a", "k: v, l: w") + configMap("b", "k: v") + configMap("c", "k: v")
	r.mustApply(manifests)
	r.mustFindNothing(manifests)
	before := time.Now().Add(-2 * time.Second)
	r.edit("kubectl-edit", "v1", "ConfigMap", "a", `{"data":{"k":"mine"}}`)
	r.take("another", "v1", "ConfigMap", "b", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"},"data":{"k":"taken","extra":"e"}}`)
	report := r.mustDrift(manifests)
	r.mustFind(report, `
		changed ConfigMap/a
		  data.k: "v" -> "mine" by kubectl-edit
		changed ConfigMap/b
		  data.k: "v" -> "taken" by another
		`)
	if at := fieldOf(t, report, "data.k").At; at == nil || at.Before(before) || at.After(time.Now().Add(2*time.Second)) {
		t.Errorf("written at %v", at)
	}
	if f := report.Objects[0]; f.File != "k8s/m.yaml" || f.Line == 0 || f.Ref != "v1 ConfigMap "+r.ns+"/a" {
		t.Errorf("it stands at %s:%d as %s", f.File, f.Line, f.Ref)
	}
	if report.Checked != 3 {
		t.Errorf("checked %d", report.Checked)
	}
}

// A field back at its value is as it was asked for, whoever wrote it last.
func TestAnEditThatWasTakenBackIsNoDrift(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v"))
	r.edit("kubectl-edit", "v1", "ConfigMap", "a", `{"data":{"k":"mine"}}`)
	r.edit("kubectl-edit", "v1", "ConfigMap", "a", `{"data":{"k":"v"}}`)
	r.mustFindNothing(configMap("a", "k: v"))
}

func TestAScaledDeploymentIsDriftUnlessAnAutoscalerDidIt(t *testing.T) {
	r := newRig(t)
	manifests := deployment("web", "  replicas: 0")
	r.mustApply(manifests)
	r.scale("kubectl", "web", 2)
	r.mustFind(r.mustDrift(manifests), `
		changed Deployment/web
		  spec.replicas: 0 -> 2 by kubectl scale
		`)
	r.scale("kube-controller-manager", "web", 3)
	r.mustFindNothing(manifests)
}

func TestFieldsThatTheSetDoesNotMentionAreNoDrift(t *testing.T) {
	r := newRig(t)
	manifests := configMap("a", "k: v") + deployment("web", "  replicas: 0")
	r.mustApply(manifests)
	r.edit("somebody", "v1", "ConfigMap", "a", `{"data":{"theirs":"x"},"metadata":{"labels":{"team":"x"},"annotations":{"note":"x"}}}`)
	r.edit("somebody", "apps/v1", "Deployment", "web", `{"spec":{"revisionHistoryLimit":3,"template":{"metadata":{"annotations":{"restarted":"now"}}}}}`)
	r.mustFindNothing(manifests)
}

func TestDefaultsAreNoDriftWhenAllIsCompared(t *testing.T) {
	r := newRig(t)
	manifests := deployment("web", "  replicas: 0\n  strategy: {}") + "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, annotations: {}}\n" +
		"spec: {selector: {app: web}, ports: [{port: 80}], externalIPs: []}\n" +
		"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: empty}\ndata: {}\n"
	r.mustApply(manifests)
	r.inv.Epoch = "another" // nothing recorded is believed
	report := r.mustFindNothing(manifests)
	if report.Inventory.Epoch == "another" || report.Inventory.Verified.IsZero() {
		t.Errorf("what was compared is not noted: %+v", report.Inventory)
	}
	r.inv = report.Inventory
	r.forgetRequests()
	r.mustFindNothing(manifests)
	for _, sent := range r.sent {
		if strings.Contains(sent, "dry-run") {
			t.Errorf("compared again: %s", sent)
		}
	}
}

func TestAnEditedListThatIsOneValueIsDrift(t *testing.T) {
	r := newRig(t)
	r.mustApply(args("a, b"))
	r.edit("kubectl-edit", "apps/v1", "Deployment", "web", `{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"c:1","args":["a","b","theirs"]}]}}}}`)
	r.mustFind(r.mustDrift(args("a, b")), `
		changed Deployment/web
		  spec.template.spec.containers[name=c].args: ["a","b"] -> ["a","b","theirs"] by kubectl-edit
		`)
}

func TestARemovedLabelIsDrift(t *testing.T) {
	r := newRig(t)
	manifests := strings.Replace(configMap("a", "k: v"), "{name: a}", "{name: a, labels: {team: net}}", 1) + configMap("b", "k: v")
	r.mustApply(manifests)
	r.edit("kubectl-label", "v1", "ConfigMap", "a", `{"metadata":{"labels":{"team":null}}}`)
	r.edit("kubectl-label", "v1", "ConfigMap", "b", `{"metadata":{"labels":{"mooring.dev/set":null}}}`)
	report := r.mustDrift(manifests)
	r.mustFind(report, `
		changed ConfigMap/a
		  metadata.labels.team: "net" -> null by `+`
		changed ConfigMap/b
		  metadata.labels["mooring.dev/set"]: "`+r.set.label()+`" -> null by `+`
		`)
}

func TestNoValueOfASecretIsInAReport(t *testing.T) {
	r := newRig(t)
	r.set.Key = []byte("a key of the test")
	manifests := "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s, annotations: {sum: hunter2sum}}\nstringData: {password: hunter2}\n"
	r.mustApply(manifests)
	r.edit("kubectl-edit", "v1", "Secret", "s", `{"data":{"password":"bWluZTEyMw=="},"metadata":{"annotations":{"sum":"mine123sum"}}}`)
	report := r.mustDrift(manifests)
	first := fieldOf(t, report, "data.password")
	if !first.Secret || first.Wanted != nil || first.Live != nil || first.By != "kubectl-edit" || first.Digest == "" {
		t.Errorf("%+v", first)
	}
	raw, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hunter2", "aHVudGVyMg", "mine123", "bWluZTEyMw", "hidden"} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("%s is in %s", secret, raw)
		}
	}
	r.edit("kubectl-edit", "v1", "Secret", "s", `{"data":{"password":"b3RoZXI="}}`)
	if second := fieldOf(t, r.mustDrift(manifests), "data.password"); second.Digest == first.Digest {
		t.Error("another value has the same digest")
	}
}

// What the files have moved on from is not what somebody did.
func TestAChangeThatIsNotAppliedYetIsNoDrift(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v") + configMap("b", "k: v"))
	r.edit("kubectl-edit", "v1", "ConfigMap", "b", `{"data":{"k":"mine"}}`)
	report := r.mustDrift(configMap("a", "k: new, l: new") + configMap("b", "k: new") + configMap("unborn", "k: v"))
	r.mustFind(report, `
		changed ConfigMap/b
		  data.k: "new" -> "mine" by kubectl-edit
		`)
	if len(report.Undeployed) != 1 || report.Undeployed[0].Name != "a" {
		t.Errorf("undeployed: %v", report.Undeployed)
	}
}

func TestAnObjectThatMovedToAnotherSetIsNoDrift(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v") + configMap("moved", "k: v"))
	other := &rig{T: t, c: r.c, ns: r.ns, set: r.set}
	other.set.ID += "-other"
	other.mustApply(configMap("moved", "k: w"))
	objects := r.render(configMap("a", "k: v") + configMap("moved", "k: v"))
	elsewhere := func(id ID) (string, error) {
		if id.Name == "moved" {
			return other.set.ID, nil
		}
		return "", nil
	}
	report, err := r.c.Drift(t.Context(), r.set, objects, r.inv, DriftOptions{Elsewhere: elsewhere})
	if err != nil || len(report.Objects) > 0 || report.Checked != 1 {
		t.Errorf("%v\n%s", err, drifts(report))
	}
}
