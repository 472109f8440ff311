package k8s

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const failingPod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {e2e.mooring.dev/pod: fail}}\nspec: {restartPolicy: Never, containers: [{name: c, image: \"c:1\"}]}\n"

func TestApplyReportsFailedHealth(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("old", "k: v"))
	start := time.Now()
	result, err := r.apply(configMap("a", "k: v") + failingPod)
	if !errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(), "v1 Pod "+r.ns+"/p: not healthy: Failed: the Pod has failed") {
		t.Errorf("error = %v", err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("a failure was waited out for %s", took)
	}
	got := result.Objects[1]
	if got.Action != Created || got.Health != HealthFailed || actions(result)["old"] != Skipped || r.get("v1", "ConfigMap", "old") == nil {
		t.Errorf("%s", summary(result))
	}
}

func TestCase29TimeoutAndANewCommitCancelsTheWait(t *testing.T) {
	r := newRig(t)
	r.set.Timeout = 500 * time.Millisecond
	manifest := strings.Replace(deployment("web", ""), "labels: {app: web}", "labels: {app: web, e2e.mooring.dev/pod: never-ready}", 1)
	result, err := r.apply(manifest)
	if !errors.Is(err, ErrUnhealthy) || result.Objects[0].Health != HealthInProgress || result.Created != 1 {
		t.Errorf("error = %v\n%s", err, summary(result))
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.set.Timeout = time.Minute
	r.hook = func(e Event) {
		if e.Kind == EventHealth {
			cancel()
		}
	}
	start := time.Now()
	if _, err := r.applyCtx(ctx, manifest+configMap("new", "k: v")); !errors.Is(err, context.Canceled) || time.Since(start) > 5*time.Second {
		t.Errorf("cancelled: %v after %s", err, time.Since(start))
	}
	if len(r.inv.Items) != 2 {
		t.Errorf("inventory after the cancelled call: %v", r.inv.Items)
	}
}

func TestApplyWaitsForAJob(t *testing.T) {
	r := newRig(t)
	result := r.mustApply("---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: \"c:1\"}]}}}\n")
	if result.Objects[0].Health != HealthCurrent {
		t.Errorf("%s", summary(result))
	}
	if c := condition(r.get("batch/v1", "Job", "j"), "Complete"); c == nil {
		t.Error("the Job was called healthy before it was complete")
	}
	seen := ""
	for _, e := range r.events {
		seen += string(e.Kind) + ":" + string(e.Action) + ":" + string(e.Health) + " "
	}
	if !strings.Contains(seen, "object:created") || !strings.Contains(seen, "health:created:Current") {
		t.Errorf("events: %s", seen)
	}
}

func TestUnreachable(t *testing.T) {
	kubeconfig := []byte("apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: \"https://127.0.0.1:1\"}}]\nusers: [{name: u, user: {token: topsecret}}]\n")
	c, err := Connect(ClusterConfig{Name: "prod", Kubeconfig: kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Check(t.Context())
	if !errors.Is(err, ErrUnreachable) || !strings.HasPrefix(err.Error(), "cluster prod (https://127.0.0.1:1): cluster unreachable: ") || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("check: %v", err)
	}
	start := time.Now()
	if _, err := c.Apply(t.Context(), Set{ID: "x"}, nil, Inventory{}, ApplyOptions{}); err != nil {
		t.Errorf("nothing to do on a cluster that is away: %v", err)
	}
	o := Object{Unstructured: &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a"}}}}
	if _, err := c.Apply(t.Context(), Set{ID: "x"}, []Object{o}, Inventory{}, ApplyOptions{}); !errors.Is(err, ErrUnreachable) || time.Since(start) > 15*time.Second {
		t.Errorf("apply: %v after %s", err, time.Since(start))
	}
}

func TestCase30SecretsNeverShow(t *testing.T) {
	r := newRig(t)
	const secret = "hunter2hunter2"
	encoded := base64.StdEncoding.EncodeToString([]byte(secret))
	manifest := "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: " + secret + "}\n"
	var said strings.Builder
	note := func(result Result, err error) {
		said.WriteString(summary(result))
		if err != nil {
			said.WriteString(err.Error() + "\n")
		}
	}
	result, err := r.apply(manifest)
	note(result, err)
	if got := r.get("v1", "Secret", "s").Object["data"].(map[string]any)["password"]; got != encoded {
		t.Errorf("data.password = %v", got)
	}
	// The server's refusal of an immutable Secret, of a wrong type, of a wrong key, and a conflict.
	note(r.apply(manifest + "immutable: true\n"))
	note(r.apply("---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: other-" + secret + "}\nimmutable: true\n"))
	note(r.apply("---\napiVersion: v1\nkind: Secret\nmetadata: {name: t}\ntype: kubernetes.io/tls\nstringData: {password: " + secret + "}\n"))
	note(r.apply("---\napiVersion: v1\nkind: Secret\nmetadata: {name: t}\nstringData: {\"not a key\": " + secret + "}\n"))
	note(r.apply("---\napiVersion: v1\nkind: Secret\nmetadata: {name: t}\nstringdata: {password: " + secret + "}\n"))
	note(r.apply("---\napiVersion: v1\nkind: Secret\nmetadata: {name: t}\nimmutable: " + secret + "\n"))
	if got := strings.Count(said.String(), "\nk8s/m.yaml:"); got < 5 {
		t.Errorf("only %d refusals were tried:\n%s", got, said.String())
	}
	for _, e := range r.events {
		said.WriteString(e.Message)
	}
	for _, inv := range append(r.saves, r.inv) {
		for _, item := range inv.Items {
			said.WriteString(item.Applied)
			if item.Kind == "Secret" && item.Applied != "" {
				t.Error("something derived from a Secret's value is kept")
			}
		}
	}
	if s := said.String(); strings.Contains(s, "hunter2") || strings.Contains(s, encoded[:8]) {
		t.Errorf("a Secret's value shows:\n%s", s)
	}
	t.Log(said.String())
}

func TestSecretKeysAreRemoved(t *testing.T) {
	r := newRig(t)
	r.mustApply("---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: \"1\", b: \"2\"}\n")
	r.mustApply("---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: \"1\"}\n")
	if data := r.get("v1", "Secret", "s").Object["data"].(map[string]any); len(data) != 1 {
		t.Errorf("data = %v", data)
	}
	version := r.get("v1", "Secret", "s").GetResourceVersion()
	if result := r.mustApply("---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: \"1\"}\n"); result.Unchanged != 1 || r.get("v1", "Secret", "s").GetResourceVersion() != version {
		t.Errorf("%s", summary(result))
	}
}
