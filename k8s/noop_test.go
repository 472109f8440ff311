package k8s

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/parts"
)

// many is a set of n ConfigMaps, a Service, a Secret and a Deployment.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(configMap(fmt.Sprintf("c%d", i), "k: v"))
	}
	b.WriteString("---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: s}, ports: [{port: 80}]}\n")
	b.WriteString("---\napiVersion: v1\nkind: Secret\nmetadata: {name: secret}\nstringData: {password: hunter2}\n")
	b.WriteString(deployment("web", "  replicas: 0"))
	return b.String()
}

// watching gives the rig a connection that stays, and the key that Secrets need.
func (r *rig) watching() {
	r.Helper()
	cfg := ClusterConfig{Name: "test", KubeconfigPath: parts.ClusterForTest(r).Kubeconfig, Watch: true, Wrap: r.counting, Now: func() time.Time { return r.now }}
	var err error
	if r.c, err = Connect(cfg); err != nil {
		r.Fatal(err)
	}
	r.Cleanup(r.c.Close)
	r.set.Key = []byte("a key of the test")
	r.now = time.Now()
}

func TestCase02NoOpSendsNothing(t *testing.T) {
	r := newLoneRig(t)
	r.watching()
	r.mustApply(many(5))
	r.forgetRequests()
	if result := r.mustApply(many(5)); result.Unchanged != 8 || len(r.sent) != 0 {
		t.Errorf("%s%v", summary(result), r.sent)
	}
	r.forgetRequests()
	if result := r.mustApply(strings.Replace(many(5), "k: v", "k: w", 1)); result.Configured != 1 || len(r.writes()) != 1 {
		t.Errorf("one changed: %s%v", summary(result), r.sent)
	}
	t.Logf("one changed: %v", r.sent)
}

// What was learnt outlives the process.
func TestUnchangedSetAfterARestart(t *testing.T) {
	r := newLoneRig(t)
	r.watching()
	r.mustApply(many(5))
	r.watching()
	r.forgetRequests()
	if result := r.mustApply(many(5)); result.Unchanged != 8 || len(r.writes()) != 0 || len(r.sent) > 40 {
		t.Errorf("%s%v", summary(result), r.sent)
	}
	t.Logf("%d requests: %v", len(r.sent), r.sent)
}

// The watch shows what others did, however little it was.
func TestEditsOfOthersAreSeenThroughTheWatch(t *testing.T) {
	r := newLoneRig(t)
	r.watching()
	r.mustApply(many(3))
	for name, edit := range map[string]func(){
		"a field":  func() { r.edit("somebody", "v1", "ConfigMap", "c0", `{"data":{"k":"edited"}}`) },
		"a Secret": func() { r.edit("somebody", "v1", "Secret", "secret", `{"data":{"password":"eA=="}}`) },
		"the label": func() {
			r.edit("somebody", "v1", "ConfigMap", "c1", `{"metadata":{"labels":{"mooring.dev/set":null}}}`)
		},
		"all of it": func() { r.remove("v1", "ConfigMap", "c2") },
	} {
		edit()
		r.set.Force = true
		r.await(name+" to be seen", func() bool {
			plan, err := r.c.Plan(t.Context(), r.set, r.render(many(3)), r.inv, ApplyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return plan.Changes() == 1
		})
		if result := r.mustApply(many(3)); result.Created+result.Configured != 1 {
			t.Errorf("%s: %s", name, summary(result))
		}
		r.forgetRequests()
		if result := r.mustApply(many(3)); len(r.sent) != 0 {
			t.Errorf("after %s: %s%v", name, summary(result), r.sent)
		}
	}
}

// What is recorded is believed for an hour, and not after the meaning of an object may have changed.
func TestRecordsAreVerified(t *testing.T) {
	r := newLoneRig(t)
	r.watching()
	r.mustApply(many(1))
	verified := func(why string) {
		t.Helper()
		r.forgetRequests()
		if result := r.mustApply(many(1)); result.Unchanged != 4 || len(r.writes()) != 0 || len(r.sent) < 8 {
			t.Errorf("%s: %s%v", why, summary(result), r.sent)
		}
		r.forgetRequests()
		if r.mustApply(many(1)); len(r.sent) != 0 {
			t.Errorf("after %s: %v", why, r.sent)
		}
	}
	r.now = r.now.Add(50 * time.Minute)
	r.forgetRequests()
	if r.mustApply(many(1)); len(r.sent) != 0 {
		t.Errorf("within the hour: %v", r.sent)
	}
	r.now = r.now.Add(20 * time.Minute)
	verified("an hour")
	r.create("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", `metadata: {name: NS}
webhooks:
- name: nothing.example.com
  sideEffects: None
  admissionReviewVersions: [v1]
  failurePolicy: Ignore
  clientConfig: {url: "https://127.0.0.1:1/"}
  rules: [{apiGroups: ["nothing.example.com"], apiVersions: ["*"], operations: ["*"], resources: ["*"]}]`)
	defer r.remove("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", r.ns)
	r.await("the webhook to be seen", func() bool {
		epoch, err := r.c.epoch(t.Context(), map[string]bool{})
		if err != nil {
			t.Fatal(err)
		}
		return epoch != r.inv.Epoch
	})
	verified("a webhook")
}
