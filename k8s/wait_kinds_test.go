package k8s

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/k8s/rules"
)

const widgets = `---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.health.example.com}
spec:
  group: health.example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

const widget = "---\napiVersion: health.example.com/v1\nkind: Widget\nmetadata: {name: w}\n"

func TestOwnHealthRules(t *testing.T) {
	r := newRig(t)
	r.set.Health = rules.New(compileRule(t, rules.Text{Kind: "health.example.com/Widget", Healthy: "object.status.phase == 'Ready'",
		Failed: "object.status.phase == 'Broken'", Message: "object.status.reason"}))
	r.hook = func(e Event) {
		if e.Kind == EventHealth && strings.Contains(e.Message, "no such key: status") {
			r.editMeanwhile("controller status", "health.example.com/v1", "Widget", "w", `{"status":{"phase":"Starting","reason":"nearly there"}}`, `{"status":{"phase":"Ready"}}`)
		}
	}
	result := r.mustApply(widgets + widget)
	if result.Objects[1].Health != HealthCurrent {
		t.Errorf("%s", summary(result))
	}
	var said strings.Builder
	for _, e := range r.events {
		said.WriteString(string(e.Health) + ":" + e.Message + "\n")
	}
	if !strings.Contains(said.String(), "InProgress:nearly there") {
		t.Errorf("events:\n%s", said.String())
	}
	r.edit("controller status", "health.example.com/v1", "Widget", "w", `{"status":{"phase":"Broken","reason":"no power"}}`)
	r.mustFailFast(widgets+widget+"spec: {size: 2}\n", "health.example.com/v1 Widget NS/w: not healthy: Failed: no power")
}

func TestHealthAnnotation(t *testing.T) {
	r := newRig(t)
	result := r.mustApply("---\napiVersion: v1\nkind: Service\nmetadata: {name: lb, annotations: {mooring.dev/health: none}}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n" +
		strings.Replace(playing("web", "crash"), "metadata: {name: web}", "metadata: {name: web, annotations: {mooring.dev/health: none}}", 1))
	for _, o := range result.Objects {
		if o.Health != HealthUnknown || !strings.Contains(o.Message, "mooring.dev/health: none") {
			t.Errorf("%s: %s %s", o.Ref, o.Health, o.Message)
		}
	}
}

// TestClaimForItsFirstConsumer: the volume is made when a Pod comes, which may be never.
func TestClaimForItsFirstConsumer(t *testing.T) {
	r := newRig(t)
	const class = "metadata: {name: NS-MODE}\nprovisioner: example.com/nobody\nvolumeBindingMode: MODE\n"
	for _, mode := range []string{"WaitForFirstConsumer", "Immediate"} {
		r.create("storage.k8s.io/v1", "StorageClass", strings.NewReplacer("NS-MODE", "NS-"+strings.ToLower(mode), "MODE", mode).Replace(class))
	}
	claim := func(name, class string) string {
		return "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: " + name + "}\nspec: {storageClassName: NS-" + class + ", accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n"
	}
	r.forgetRequests()
	result := r.mustApply(claim("a", "waitforfirstconsumer") + claim("b", "waitforfirstconsumer"))
	if result.Objects[0].Health != HealthCurrent || !strings.Contains(result.Objects[0].Message, "first Pod") {
		t.Errorf("%s", summary(result))
	}
	asked := 0
	for _, s := range r.sent {
		if strings.Contains(s, "storageclasses/") {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("the storage class was read %d times", asked)
	}
	r.set.Timeout = 2 * time.Second
	if _, err := r.apply(claim("a", "waitforfirstconsumer") + claim("b", "waitforfirstconsumer") + claim("c", "immediate")); !errors.Is(err, ErrUnhealthy) ||
		!strings.Contains(err.Error(), "PersistentVolumeClaim "+r.ns+"/c: not healthy after 2s: InProgress: no volume is bound to it yet") || strings.Contains(err.Error(), "/a:") {
		t.Errorf("error = %v", err)
	}
}

// TestCase29JobGoneAfterItsTimeToLive has a time to live of nothing: whoever looks a moment later sees no Job.
func TestCase29JobGoneAfterItsTimeToLive(t *testing.T) {
	r := newRig(t)
	result := r.mustApply("---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {ttlSecondsAfterFinished: 0, template: {spec: {restartPolicy: Never, containers: [{name: c, image: \"c:1\"}]}}}\n")
	if result.Objects[0].Health != HealthCurrent {
		t.Errorf("%s", summary(result))
	}
}

// TestWaitWithoutSeeingPods: a tenant may not read Pods, ReplicaSets or events.
func TestWaitWithoutSeeingPods(t *testing.T) {
	r := newRig(t)
	hasty(r)
	r.fault = func(req *http.Request) (*http.Response, error) {
		for _, resource := range []string{"/pods", "/replicasets", "/events"} {
			if strings.HasSuffix(req.URL.Path, resource) {
				return failure(403, "Forbidden", resource+" is forbidden"), nil
			}
		}
		return nil, nil
	}
	r.mustApply(playing("web", "slow"))
	r.set.Timeout = 2 * time.Second
	if _, err := r.apply(playing("web", "slow") + playing("bad", "crash")); !errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(), "/bad: not healthy after 2s: InProgress: Available: 0/1") {
		t.Errorf("error = %v", err)
	}
}

// TestDeploymentIsSeenReadyAtOnce includes what the cluster's own controllers take between a Pod and its Deployment.
func TestDeploymentIsSeenReadyAtOnce(t *testing.T) {
	r := newRig(t)
	hasty(r)
	var ready time.Time
	r.hook = func(e Event) {
		if e.Kind == EventHealth && strings.Contains(e.Message, "runs and is not ready") && ready.IsZero() {
			r.mendPods("app=web")
			ready = time.Now()
		}
	}
	r.mustApply(playing("web", "never-ready"))
	took := time.Since(ready)
	if ready.IsZero() || took > 500*time.Millisecond {
		t.Errorf("seen after %s", took)
	}
	t.Logf("from the Pod's status to the end of Apply: %s", took)
}

// TestReadyIsSeenAtOnce measures from the moment at which an object becomes ready to the one at which Apply returns.
func TestReadyIsSeenAtOnce(t *testing.T) {
	r := newRig(t)
	var ready time.Time
	r.hook = func(e Event) {
		if e.Kind == EventHealth && e.Health == HealthInProgress && ready.IsZero() {
			ready = time.Now()
			r.editMeanwhile("cloud status", "v1", "Service", "lb", `{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`)
		}
	}
	r.mustApply("---\napiVersion: v1\nkind: Service\nmetadata: {name: lb}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n")
	took := time.Since(ready)
	if ready.IsZero() || took > 500*time.Millisecond {
		t.Errorf("seen after %s", took)
	}
	t.Logf("from the write of the status to the end of Apply: %s", took)
}
