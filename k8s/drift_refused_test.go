package k8s

import (
	"net/http"
	"strings"
	"testing"
)

// Who has admission refuse what is desired does not hide by it what they did.
func TestARefusedDryRunDoesNotHideAnEdit(t *testing.T) {
	r := newRig(t)
	manifests := configMap("a", "k: v, l: w") + configMap("b", "k: v") + deployment("web", "  replicas: 0")
	manifests = strings.Replace(manifests, `image: "c:1"`, `image: "c:1", resources: {requests: {cpu: 1000m}}`, 1) // kept as "1"
	r.mustApply(manifests)
	r.edit("kubectl-edit", "v1", "ConfigMap", "a", `{"data":{"k":"mine"}}`)
	r.edit("kubectl-edit", "v1", "ConfigMap", "b", `{"data":{"k":"mine"}}`)
	r.edit("kubectl-edit", "v1", "ConfigMap", "b", `{"data":{"k":"v"}}`)
	r.edit("kubectl-edit", "apps/v1", "Deployment", "web", `{"spec":{"replicas":1}}`)
	r.fault = func(req *http.Request) (*http.Response, error) {
		if req.URL.Query().Get("dryRun") != "" {
			return failure(403, "Forbidden", `admission webhook "no.example.com" denied the request: no`), nil
		}
		return nil, nil
	}
	report := r.mustDrift(manifests)
	r.mustFind(report, `
		changed ConfigMap/a
		  data.k: "v" -> "mine" by kubectl-edit
		changed Deployment/web
		  spec.replicas: 0 -> 1 by kubectl-edit
		`)
	if note := report.Objects[0].Note; !strings.HasPrefix(note, noteRefused) || !strings.Contains(note, "no.example.com") {
		t.Errorf("note %q", note)
	}
}

// What may not be changed back is still drift.
func TestAnImmutableFieldOfAnObjectMadeAgainIsDrift(t *testing.T) {
	r := newRig(t)
	manifests := "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nimmutable: true\ndata: {k: v}\n"
	r.mustApply(manifests)
	r.remove("v1", "ConfigMap", "a")
	r.create("v1", "ConfigMap", "metadata: {name: a, namespace: NS, labels: {mooring.dev/set: "+r.set.label()+"}}\nimmutable: true\ndata: {k: theirs}")
	report := r.mustDrift(manifests)
	r.mustFind(report, `
		recreated ConfigMap/a
		  data.k: "v" -> "theirs" by somebody
		`)
	if report.Objects[0].Note != noteImmutable {
		t.Errorf("note %q", report.Objects[0].Note)
	}
}

const webhookWithCA = `---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: NS, annotations: {cert-manager.io/inject-ca-from: NS/ca}}
webhooks:
- name: nothing.example.com
  sideEffects: None
  admissionReviewVersions: [v1]
  failurePolicy: Ignore
  clientConfig: {url: "https://127.0.0.1:1/", caBundle: "Cg=="}
  rules: [{apiGroups: ["nothing.example.com"], apiVersions: ["*"], operations: ["*"], resources: ["*"]}]
`

func TestAnInjectedCAIsNoDriftAndAnotherFailurePolicyIs(t *testing.T) {
	r := newRig(t)
	r.mustApply(webhookWithCA)
	defer r.remove("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", r.ns)
	inject := func(by, policy string) {
		r.edit(by, "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", r.ns, `{"webhooks":[{"name":"nothing.example.com","sideEffects":"None",
			"admissionReviewVersions":["v1"],"failurePolicy":"`+policy+`","clientConfig":{"url":"https://127.0.0.1:1/","caBundle":"Cgo="},
			"rules":[{"apiGroups":["nothing.example.com"],"apiVersions":["*"],"operations":["*"],"resources":["*"]}]}]}`)
	}
	inject("cainjector", "Ignore")
	r.mustFindNothing(webhookWithCA)
	inject("kubectl-edit", "Fail")
	r.mustFind(r.mustDrift(webhookWithCA), `
		changed MutatingWebhookConfiguration/`+r.ns+`
		  webhooks[name=nothing.example.com].failurePolicy: "Ignore" -> "Fail" by kubectl-edit
		`)
}

func TestWhoWroteAFieldIsReadFromTheRecord(t *testing.T) {
	live, err := decodeObject([]byte(`{"metadata":{"managedFields":[
		{"manager":"mooring","operation":"Apply","time":"2026-01-01T00:00:00Z","fieldsV1":{"f:spec":{"f:list":{"k:{\"name\":\"a\"}":{".":{},"f:x":{}}},"f:whole":{}}}},
		{"manager":"early","operation":"Update","time":"2026-01-02T00:00:00Z","fieldsV1":{"f:spec":{"f:list":{"k:{\"name\":\"a\"}":{"f:x":{}}},"f:whole":{}}}},
		{"manager":"late","operation":"Update","time":"2026-01-03T00:00:00Z","fieldsV1":{"f:spec":{"f:whole":{}}}}]},
		"spec":{"list":[{"name":"a","x":1,"y":2},{"name":"b","x":1}],"whole":[{"name":"a","x":1}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	w := newWriters(live)
	spec, list, whole := step{field: "spec"}, step{field: "list"}, step{field: "whole"}
	a, b, x, y := step{item: "name=a"}, step{item: "name=b"}, step{field: "x"}, step{field: "y"}
	for _, tt := range []struct {
		path []step
		want string
	}{
		{[]step{spec, list, a, x}, "early"},
		{[]step{spec, list, a, y}, ""},
		{[]step{spec, list, b, x}, ""},
		{[]step{spec, list, a}, "early"},
		{[]step{spec, whole}, "late"},
		{[]step{spec, whole, a, x}, "late"},
		{[]step{spec, {field: "gone"}}, ""},
	} {
		if by, known := w.of(tt.path); by.Manager != tt.want || known != (tt.want != "") {
			t.Errorf("%s was written by %q, want %q", pathText(tt.path), by.Manager, tt.want)
		}
	}
}
