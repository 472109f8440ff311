package k8s

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A webhook may say "immutable" in the words of the API server's own validation: that deletes nothing, even where the
// object may be made anew.
func TestCase16InvalidOfAWebhook(t *testing.T) {
	for name, message := range map[string]string{
		"own words":       `admission webhook "buggy.example.com" denied the request: spec.template: field is immutable`,
		"form of the API": `admission webhook "buggy.example.com" denied the request: Job.batch "j" is invalid: spec.template: Invalid value: "x": field is immutable`,
		"no name":         `Job.batch "j" is invalid: the server is in a bad mood`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			manifest := annotated(job("j", "  suspend: true\n"), "mooring.dev/recreate: enabled")
			r.mustApply(manifest)
			uid := r.get("batch/v1", "Job", "j").GetUID()
			r.fault = func(req *http.Request) (*http.Response, error) {
				if req.Method != http.MethodPatch {
					return nil, nil
				}
				details := `,"details":{"name":"j","causes":[{"reason":"FieldValueInvalid","field":"spec.template","message":"Invalid value: \"x\": field is immutable"}]}`
				if !strings.HasPrefix(message, "admission") {
					details = ""
				}
				answer := failure(422, "Invalid", message)
				answer.Body = body(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,"message":` + quoted(message) + details + `}`)
				return answer, nil
			}
			r.forgetRequests()
			result, err := r.apply(strings.Replace(manifest, "image: c", "image: d", 1))
			if err == nil || result.Failed != 1 {
				t.Errorf("error = %v\n%s", err, summary(result))
			}
			for _, w := range r.writes() {
				if strings.HasPrefix(w, "DELETE") {
					t.Errorf("sent %s", w)
				}
			}
			r.fault = nil
			if live := r.get("batch/v1", "Job", "j"); live == nil || live.GetUID() != uid {
				t.Error("a healthy object was deleted because of a webhook")
			}
		})
	}
}

// A webhook with side effects makes the server refuse every dry-run; the apply itself goes through.
func TestCase17WebhookThatRefusesDryRun(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v"))
	refused := 0
	r.fault = func(req *http.Request) (*http.Response, error) { // no version of the API that is served takes such a webhook any more
		if req.URL.Query().Get("dryRun") == "" {
			return nil, nil
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		refused++
		return failure(400, "BadRequest", `admission webhook "effects.example.com" does not support dry run`), nil
	}
	plan, err := r.c.Plan(t.Context(), r.set, r.render(configMap("a", "k: w")+configMap("b", "k: v")), r.inv, ApplyOptions{})
	if err != nil || plan.Configured != 1 || plan.Created != 1 {
		t.Errorf("plan: %v\n%s", err, summary(plan.Result))
	}
	if result := r.mustApply(configMap("a", "k: w") + configMap("b", "k: v")); result.Configured != 1 || result.Created != 1 || refused == 0 {
		t.Errorf("%d refused\n%s", refused, summary(result))
	}
}

// What may not be deleted today stays in the inventory and is asked for again.
func TestCase18DeniedPruneIsRetried(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v") + configMap("guarded", "k: v"))
	r.create("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", `metadata: {name: NS}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [DELETE], resources: [configmaps]}]}
  validations: [{expression: "oldObject.metadata.name != 'guarded'", message: "guarded by policy"}]`)
	r.create("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", `metadata: {name: NS}
spec:
  policyName: NS
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NS}}}`)
	r.await("the policy in force", func() bool {
		err := r.c.rest.Delete().AbsPath(r.path("v1", "ConfigMap", "guarded")).Param("dryRun", "All").Do(t.Context()).Error()
		return err != nil && strings.Contains(err.Error(), "guarded by policy")
	})
	for range 2 {
		result, err := r.apply(configMap("a", "k: v"))
		if err == nil || !strings.Contains(err.Error(), "v1 ConfigMap "+r.ns+"/guarded: ") || !strings.Contains(err.Error(), "guarded by policy") || len(r.inv.Items) != 2 {
			t.Fatalf("error = %v\n%s", err, summary(result))
		}
	}
	r.remove("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", r.ns)
	r.remove("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", r.ns)
	r.await("the prune to be allowed", func() bool {
		result, err := r.apply(configMap("a", "k: v"))
		return err == nil && result.Pruned == 1 && len(r.inv.Items) == 1
	})
	if r.get("v1", "ConfigMap", "guarded") != nil {
		t.Error("still there")
	}
}

// A quota that somebody raises while the apply waits ends well.
func TestCase28QuotaRaisedInTime(t *testing.T) {
	r := newRig(t)
	r.create("v1", "ResourceQuota", "metadata: {name: q}\nspec: {hard: {services: \"0\"}}")
	r.await("the quota in force", func() bool {
		hard, _, _ := unstructured.NestedMap(r.get("v1", "ResourceQuota", "q").Object, "status", "hard")
		return hard != nil
	})
	raised := make(chan error, 1)
	go func() {
		time.Sleep(500 * time.Millisecond) // somebody else's time
		raised <- r.c.rest.Patch("application/merge-patch+json").AbsPath("/api/v1/namespaces/" + r.ns + "/resourcequotas/q").
			Body([]byte(`{"spec":{"hard":{"services":"5"}}}`)).Do(t.Context()).Error()
	}()
	result, err := r.apply("---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n")
	if err := errors.Join(err, <-raised); err != nil || result.Created != 1 {
		t.Errorf("%v\n%s", err, summary(result))
	}
}
