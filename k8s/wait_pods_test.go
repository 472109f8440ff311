package k8s

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// soon is how long a failure may take to be told that is not waited out: the test's timeout is 30 s.
const soon = 12 * time.Second

// playing is a Deployment whose Pods do what the cluster's simulated kubelet is asked for.
func playing(name, what string) string {
	return strings.Replace(deployment(name, ""), "labels: {app: "+name+"}, creationTimestamp",
		"labels: {app: "+name+", e2e.mooring.dev/pod: "+what+"}, creationTimestamp", 1)
}

func hasty(r *rig) {
	r.c.patience = patience{look: 50 * time.Millisecond, start: 300 * time.Millisecond, create: 300 * time.Millisecond}
}

// mustFailFast applies what cannot become healthy and returns the error's text.
func (r *rig) mustFailFast(manifests string, words ...string) string {
	r.Helper()
	start := time.Now()
	result, err := r.apply(manifests)
	if took := time.Since(start); took > soon {
		r.Errorf("a failure was told after %s", took)
	}
	if !errors.Is(err, ErrUnhealthy) {
		r.Fatalf("error = %v\n%s", err, summary(result))
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), strings.ReplaceAll(w, "NS", r.ns)) {
			r.Errorf("the error does not say %q:\n%v", w, err)
		}
	}
	r.Logf("after %s: %v", time.Since(start).Round(time.Millisecond), err)
	return err.Error()
}

func TestCase29CrashLoopFailsFast(t *testing.T) {
	r := newRig(t)
	said := r.mustFailFast(playing("web", "crash")+configMap("a", "k: v"),
		"k8s/m.yaml:2: apps/v1 Deployment NS/web: not healthy: Failed: Pod web-", "container c crashes: exit code 1, restarted 3 times: CrashLoopBackOff: back-off 40s",
		"BackOff: Back-off restarting failed container")
	if strings.Contains(said, "\n") {
		t.Errorf("more than one line:\n%s", said)
	}
	last := r.events[len(r.events)-1]
	if last.Kind != EventHealth || last.Health != HealthFailed || !strings.Contains(last.Message, "CrashLoopBackOff") {
		t.Errorf("last event: %+v", last)
	}
	seen := map[string]int{}
	for _, e := range r.events {
		if seen[fmt.Sprint(e)]++; seen[fmt.Sprint(e)] > 1 {
			t.Errorf("said twice: %+v", e)
		}
	}
}

func TestImagePullFailsAfterAWhile(t *testing.T) {
	r := newRig(t)
	hasty(r)
	start := time.Now()
	r.mustFailFast(playing("web", "image-pull"), "container c is waiting: ImagePullBackOff: Back-off pulling image \"c:1\"", "Pod web-")
	if took := time.Since(start); took < r.c.patience.start {
		t.Errorf("it failed at the first hiccup, after %s", took)
	}
}

func TestPodOfTheSetFailsFast(t *testing.T) {
	r := newRig(t)
	hasty(r)
	pod := func(what string) string {
		return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {e2e.mooring.dev/pod: " + what + "}}\nspec: {containers: [{name: c, image: \"c:1\"}]}\n"
	}
	r.mustFailFast(pod("crash"), "v1 Pod NS/p: not healthy: Failed: container c crashes: exit code 1")
	r.remove("v1", "Pod", "p")
	r.await("the Pod to go", func() bool { return r.get("v1", "Pod", "p") == nil })
	r.mustFailFast(pod("image-pull"), "v1 Pod NS/p: not healthy: Failed: container c is waiting: ImagePullBackOff")
}

func TestQuotaFailsFast(t *testing.T) {
	const quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: none}\nspec: {hard: {pods: \"0\"}}\n"
	const template = "  template:\n    metadata: {labels: {app: w}}\n    spec: {containers: [{name: c, image: \"c:1\"}]}\n"
	for kind, manifest := range map[string]string{
		"Deployment":  deployment("w", ""),
		"StatefulSet": "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: w}\nspec:\n  serviceName: w\n  selector: {matchLabels: {app: w}}\n" + template,
		"Job":         "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: w}\nspec:\n  template: {spec: {restartPolicy: Never, containers: [{name: c, image: \"c:1\"}]}}\n",
		"DaemonSet":   "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: w}\nspec:\n  selector: {matchLabels: {app: w}}\n" + template,
	} {
		t.Run(kind, func(t *testing.T) {
			r := newRig(t)
			hasty(r)
			r.create("v1", "ResourceQuota", strings.TrimPrefix(quota, "apiVersion: v1\nkind: ResourceQuota\n"))
			r.await("the quota to hold", func() bool {
				q := r.get("v1", "ResourceQuota", "none")
				return q != nil && q.Object["status"].(map[string]any)["hard"] != nil
			})
			r.mustFailFast(manifest, kind+" NS/w: not healthy: Failed: FailedCreate: ", "exceeded quota: none")
		})
	}
}

// TestOldCrashDoesNotFailTheRollout mends a Deployment whose Pods crash, and are there until the new ones are ready.
func TestOldCrashDoesNotFailTheRollout(t *testing.T) {
	r := newRig(t)
	hasty(r)
	r.mustFailFast(playing("web", "crash"), "CrashLoopBackOff")
	r.events = nil
	if result := r.mustApply(playing("web", "slow")); result.Objects[0].Health != HealthCurrent {
		t.Errorf("%s", summary(result))
	}
	for _, e := range r.events {
		if strings.Contains(e.Message, "CrashLoopBackOff") {
			t.Errorf("the old Pod was held against the new version: %+v", e)
		}
	}
}

// TestOldPodHoldsUpAStatefulSet: its controller does not replace a Pod that never became ready; a person must know.
func TestOldPodHoldsUpAStatefulSet(t *testing.T) {
	r := newRig(t)
	hasty(r)
	set := func(what string) string {
		return "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec:\n  serviceName: db\n  selector: {matchLabels: {app: db}}\n  template:\n    metadata: {labels: {app: db, e2e.mooring.dev/pod: " + what + "}}\n    spec: {containers: [{name: c, image: \"c:1\"}]}\n"
	}
	r.mustFailFast(set("crash"), "StatefulSet NS/db: not healthy: Failed: Pod db-0: container c crashes")
	r.set.Timeout = 3 * time.Second
	_, err := r.apply(set("slow"))
	if !errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(), "not healthy after 3s: InProgress: ") || !strings.Contains(err.Error(), "Pod db-0: of the revision before: container c crashes") {
		t.Errorf("error = %v", err)
	}
}

// TestAnEarlierCrashMayBeMended: a commit that changes something else may be the cure of what crashes since before.
func TestAnEarlierCrashMayBeMended(t *testing.T) {
	r := newRig(t)
	hasty(r)
	r.mustFailFast(playing("web", "crash"), "CrashLoopBackOff")
	r.hook = func(e Event) {
		if e.Kind == EventHealth && strings.Contains(e.Message, "CrashLoopBackOff") {
			r.hook = nil
			r.mendPods("app=web")
		}
	}
	if result := r.mustApply(playing("web", "crash") + configMap("cure", "k: v")); result.Created != 1 || result.Unchanged != 1 {
		t.Errorf("%s", summary(result))
	}
	r.mustFailFast(playing("bad", "crash")+playing("web", "crash")+configMap("cure", "k: v"), "Deployment NS/bad: ")
}

// mendPods makes the Pods that a selector finds ready, as the kubelet would.
func (r *rig) mendPods(selector string) {
	pods, err := r.c.send(r.Context(), request{verb: "GET", path: "/api/v1/namespaces/" + r.ns + "/pods", accept: acceptList, params: map[string]string{"labelSelector": selector}})
	if err != nil {
		r.Fatal(err)
	}
	for _, name := range namesIn(pods.body) {
		r.editMeanwhile("kubelet status", "v1", "Pod", name, `{"status":{"conditions":[{"type":"Ready","status":"True"},{"type":"ContainersReady","status":"True"}],
			"containerStatuses":[{"name":"c","image":"c:1","imageID":"","ready":true,"started":true,"restartCount":3,"state":{"running":{"startedAt":"2026-01-01T00:00:00Z"}}}]}}`)
	}
}

func TestTimeoutSaysTheLastWords(t *testing.T) {
	r := newRig(t)
	r.set.Timeout = 3 * time.Second
	result, err := r.apply(playing("web", "never-ready") + "---\napiVersion: v1\nkind: Service\nmetadata: {name: lb}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n" + configMap("a", "k: v"))
	if !errors.Is(err, ErrUnhealthy) {
		t.Fatalf("error = %v", err)
	}
	for _, want := range []string{
		"Deployment " + r.ns + "/web: not healthy after 3s: InProgress: Available: 0/1: Pod web-", "container c runs and is not ready",
		"Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503",
		"Service " + r.ns + "/lb: not healthy after 3s: InProgress: the load balancer has no address yet",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	health := map[string]Health{}
	for _, o := range result.Objects {
		health[o.Ref[strings.LastIndex(o.Ref, "/")+1:]] = o.Health
	}
	if health["a"] != HealthCurrent || health["web"] != HealthInProgress || health["lb"] != HealthInProgress {
		t.Errorf("%s", summary(result))
	}
}

// TestUnschedulableIsNotFatal: nodes may come.
func TestUnschedulableIsNotFatal(t *testing.T) {
	r := newRig(t)
	hasty(r)
	r.set.Timeout = 3 * time.Second
	_, err := r.apply(strings.Replace(deployment("web", ""), "spec: {containers", "spec: {nodeSelector: {no: such}, containers", 1))
	if !errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(), "not healthy after 3s") || !strings.Contains(err.Error(), "Unschedulable: 0/") {
		t.Errorf("error = %v", err)
	}
}

func TestFailedJobSaysWhatItsPodSaid(t *testing.T) {
	r := newRig(t)
	r.mustFailFast("---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {backoffLimit: 0, template: {metadata: {labels: {e2e.mooring.dev/pod: fail}}, spec: {restartPolicy: Never, containers: [{name: c, image: \"c:1\"}]}}}\n",
		"Job NS/j: not healthy: Failed: BackoffLimitExceeded: ", "Pod j-", "container c: exit code 1: failed as asked")
}

func TestDaemonSetPodsAreToldApart(t *testing.T) {
	r := newRig(t)
	hasty(r)
	set := func(what string) string {
		return "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: d}\nspec:\n  selector: {matchLabels: {app: d}}\n  template:\n    metadata: {labels: {app: d, e2e.mooring.dev/pod: " + what + "}}\n    spec: {containers: [{name: c, image: \"c:1\"}]}\n"
	}
	r.mustFailFast(set("crash"), "DaemonSet NS/d: not healthy: Failed: Pod d-", "CrashLoopBackOff")
	r.mustApply(set("slow"))
}

func TestQuickSetsCostNoWatchOfPods(t *testing.T) {
	r := newRig(t)
	ofPods := func() (found []string) {
		for _, s := range r.sent {
			for _, resource := range []string{"/pods", "/replicasets", "/events"} {
				if strings.HasSuffix(s, "/namespaces/"+r.ns+resource) {
					found = append(found, s)
				}
			}
		}
		return found
	}
	r.mustApply(deployment("web", "") + deployment("api", ""))
	if found := ofPods(); len(found) > 0 {
		t.Errorf("requests that a quick set does not need: %v", found)
	}
	hasty(r)
	var manifests strings.Builder
	for i := range 6 {
		manifests.WriteString(playing(fmt.Sprintf("s%d", i), "slow"))
	}
	r.mustApply(deployment("web", "") + deployment("api", "") + manifests.String())
	if found := ofPods(); len(found) != 4 { // a list and a watch of Pods, and of ReplicaSets
		t.Errorf("for the Pods of six Deployments: %v", found)
	}
}

func namesIn(list []byte) []string {
	var l struct {
		Items []struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
		} `json:"items"`
	}
	_ = json.Unmarshal(list, &l)
	var names []string
	for _, item := range l.Items {
		names = append(names, item.Metadata.Name)
	}
	return names
}
