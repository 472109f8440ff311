package parts_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mooring-iac/mooring/e2e/parts"
)

func restConfig(t *testing.T, cluster *parts.RunningCluster) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func clients(t *testing.T, cluster *parts.RunningCluster) kubernetes.Interface {
	t.Helper()
	set, err := kubernetes.NewForConfig(restConfig(t, cluster))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// namespace makes a namespace that is this test's alone.
func namespace(t *testing.T, set kubernetes.Interface) string {
	t.Helper()
	made, err := set.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "parts-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made.Name
}

// waitFor reads events until one satisfies done.
func waitFor(t *testing.T, watcher watch.Interface, err error, what string, done func(watch.Event) bool) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	deadline := time.After(60 * time.Second)
	for {
		select {
		case event, open := <-watcher.ResultChan():
			if !open {
				t.Fatalf("the watch ended before %s", what)
			}
			if done(event) {
				return
			}
		case <-deadline:
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

func TestDeploymentBecomesReadyAndNamespaceGoesAway(t *testing.T) {
	cluster := parts.ClusterForTest(t)
	set := clients(t, cluster)
	ns := namespace(t, set)

	if _, err := set.CoreV1().ConfigMaps(ns).Create(t.Context(),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"a": "1"}},
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"app": "web"}
	replicas := int32(2)
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "example.com/web:1"}}},
			},
		},
	}
	if _, err := set.AppsV1().Deployments(ns).Create(t.Context(), deployment, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	watcher, err := set.AppsV1().Deployments(ns).Watch(t.Context(), metav1.ListOptions{})
	waitFor(t, watcher, err, "the Deployment to be ready", func(event watch.Event) bool {
		d, ok := event.Object.(*appsv1.Deployment)
		return ok && d.Status.ReadyReplicas == replicas
	})

	watcher, err = set.CoreV1().Namespaces().Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + ns})
	if err := set.CoreV1().Namespaces().Delete(t.Context(), ns, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, watcher, err, "the namespace to go away", func(event watch.Event) bool { return event.Type == watch.Deleted })
}

func TestPodsFailWhenAskedTo(t *testing.T) {
	set := clients(t, parts.ClusterForTest(t))
	ns := namespace(t, set)
	watcher, err := set.CoreV1().Pods(ns).Watch(t.Context(), metav1.ListOptions{})
	want := map[string]string{"crash": "CrashLoopBackOff", "image-pull": "ImagePullBackOff", "fail": "Error"}
	for behaviour := range want {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: behaviour, Labels: map[string]string{"e2e.mooring.dev/pod": behaviour}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "example.com/x:1"}}},
		}
		// A namespace has its service account a moment after it is made, and no Pod is admitted before.
		for {
			_, err := set.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{})
			if err == nil {
				break
			}
			if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "serviceaccount") {
				t.Fatal(err)
			}
		}
	}
	waitFor(t, watcher, err, "all Pods to fail in their own way", func(event watch.Event) bool {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok || len(pod.Status.ContainerStatuses) == 0 {
			return false
		}
		state := pod.Status.ContainerStatuses[0].State
		var reason string
		switch {
		case state.Waiting != nil:
			reason = state.Waiting.Reason
		case state.Terminated != nil:
			reason = state.Terminated.Reason
		}
		if reason == want[pod.Name] {
			delete(want, pod.Name)
		} else {
			t.Errorf("Pod %s: reason %q, want %q", pod.Name, reason, want[pod.Name])
		}
		return len(want) == 0
	})
}

func TestKubectlRuns(t *testing.T) {
	cluster := parts.ClusterForTest(t)
	cmd := exec.CommandContext(t.Context(), parts.KubectlForTest(t), "--kubeconfig", cluster.Kubeconfig, "version")
	cmd.Env = []string{"HOME=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl version: %v\n%s", err, out)
	}
	if strings.Count(string(out), "v1.36.") != 2 {
		t.Errorf("kubectl version printed %q, want 1.36 for client and server", out)
	}
}

// TestAPIAlone runs the API server without controllers for workloads, ends it, and starts it again where it was.
func TestAPIAlone(t *testing.T) {
	cluster := parts.OwnClusterForTest(t, parts.ClusterOptions{OnlyAPI: true})
	info, err := os.Stat(cluster.Kubeconfig)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("kubeconfig: %v, %v, want mode 0600", info, err)
	}
	crds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	widgets := schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "widgets"}
	client, err := dynamic.NewForConfig(restConfig(t, cluster))
	if err != nil {
		t.Fatal(err)
	}
	watcher, err := client.Resource(crds).Watch(t.Context(), metav1.ListOptions{})
	if _, err := client.Resource(crds).Create(t.Context(), widgetCRD(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, watcher, err, "the CRD to be established", func(event watch.Event) bool {
		return established(event.Object.(*unstructured.Unstructured))
	})
	set := clients(t, cluster)
	ns := namespace(t, set)
	widget := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Widget", "metadata": map[string]any{"name": "one"}, "spec": map[string]any{"size": int64(3)},
	}}
	if _, err := client.Resource(widgets).Namespace(ns).Create(t.Context(), widget, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	watcher, err = set.CoreV1().Namespaces().Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + ns})
	if err := set.CoreV1().Namespaces().Delete(t.Context(), ns, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, watcher, err, "the namespace to go away", func(event watch.Event) bool { return event.Type == watch.Deleted })

	cluster.Stop()
	again, err := parts.StartCluster(t.Context(), cluster.Dir, parts.ClusterOptions{OnlyAPI: true, Port: cluster.Port()})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Stop()
	if again.URL != cluster.URL {
		t.Errorf("URL after the restart = %s, want %s", again.URL, cluster.URL)
	}
	if _, err := client.Resource(crds).Get(t.Context(), "widgets.example.com", metav1.GetOptions{}); err != nil {
		t.Errorf("the CRD after a restart, through the old client: %v", err)
	}
}

func established(crd *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	for _, condition := range conditions {
		c, ok := condition.(map[string]any)
		if ok && c["type"] == "Established" && c["status"] == "True" {
			return true
		}
	}
	return false
}

func widgetCRD() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1",
		"kind":       "CustomResourceDefinition",
		"metadata":   map[string]any{"name": "widgets.example.com"},
		"spec": map[string]any{
			"group": "example.com",
			"scope": "Namespaced",
			"names": map[string]any{"plural": "widgets", "singular": "widget", "kind": "Widget"},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type":       "object",
					"properties": map[string]any{"spec": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
				}},
			}},
		},
	}}
}

func TestSecondClusterInADirectoryIsRefused(t *testing.T) {
	cluster := parts.OwnClusterForTest(t, parts.ClusterOptions{OnlyAPI: true})
	second, err := parts.StartCluster(t.Context(), cluster.Dir, parts.ClusterOptions{OnlyAPI: true})
	if err == nil {
		second.Stop()
		t.Fatal("a second cluster started in the same directory")
	}
	if !strings.Contains(err.Error(), "a cluster already runs there") {
		t.Errorf("error = %v", err)
	}
}

// TestClusterEndsWithItsStarter starts a cluster from a process that is killed.
func TestClusterEndsWithItsStarter(t *testing.T) {
	_ = parts.KubectlForTest(t) // skips without the binary
	binary, err := parts.Cluster(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "cluster")
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	// The shell holds the only writing end of the pipe; its death closes it.
	starter := exec.CommandContext(ctx, "sh", "-c",
		`rm -f "$2/fifo"; mkfifo "$2/fifo"; "$0" up --only-api --stdin --remove --dir "$1" <"$2/fifo" & exec 3>"$2/fifo"; wait`,
		binary, dir, t.TempDir())
	stdout, err := starter.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 4096)
	n, err := stdout.Read(line)
	if err != nil || !strings.Contains(string(line[:n]), `"ready":true`) {
		t.Fatalf("the cluster said %q, %v", line[:n], err)
	}
	kill()
	// Standard output ends when the cluster, which holds its other end, has ended.
	if _, err := stdout.Read(line); err == nil {
		t.Error("the cluster printed more than one line")
	}
	_ = starter.Wait()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s: %v, want it removed with the cluster", dir, err)
	}
}
