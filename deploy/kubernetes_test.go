package deploy

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/mooring-iac/mooring/e2e/parts"
	"github.com/mooring-iac/mooring/k8s"
)

// render builds the kustomization as Mooring would build one in a repository.
func render(t *testing.T) []k8s.Object {
	t.Helper()
	objects, err := k8s.Render(k8s.Source{Root: "..", Path: "deploy/kubernetes"})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// pick fills into with the one object of a kind and name.
func pick(t *testing.T, objects []k8s.Object, kind, name string, into any) {
	t.Helper()
	i := slices.IndexFunc(objects, func(o k8s.Object) bool { return o.GetKind() == kind && strings.HasPrefix(o.GetName(), name) })
	if i < 0 {
		t.Fatalf("no %s %s is rendered", kind, name)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(objects[i].Object, into); err != nil {
		t.Fatal(err)
	}
}

func TestDeploymentKeepsItsPromises(t *testing.T) {
	objects := render(t)
	var d appsv1.Deployment
	pick(t, objects, "Deployment", "mooring", &d)
	c := config(t, "kubernetes/server.hcl")
	pod := d.Spec.Template.Spec
	container := pod.Containers[0]

	if *d.Spec.Replicas != 1 || d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Errorf("replicas %d, strategy %s: two could write to one data directory", *d.Spec.Replicas, d.Spec.Strategy.Type)
	}
	if period := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; period <= c.Grace+afterInterrupt {
		t.Errorf("terminationGracePeriodSeconds = %s, want more than grace, %s, and %s", period, c.Grace, afterInterrupt)
	}
	if slices.Contains(container.Args, "--hand-over") {
		t.Error("--hand-over in a container: its supervisors die with it")
	}
	if fs := pod.SecurityContext; *fs.RunAsUser != 65532 || !*fs.RunAsNonRoot || *fs.FSGroup != 65532 ||
		*fs.FSGroupChangePolicy != corev1.FSGroupChangeOnRootMismatch || fs.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("pod's security context = %+v", fs)
	}
	if s := container.SecurityContext; !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation {
		t.Errorf("container's security context = %+v", s)
	}

	// The files that server.hcl names are where the Pod has them.
	mounts := map[string]string{}
	for _, m := range container.VolumeMounts {
		mounts[m.MountPath] = m.Name
	}
	if path.Dir(c.DataDir) != "/var/lib/mooring" || mounts["/var/lib/mooring"] != "data" {
		t.Errorf("data_dir = %s with mounts %v, want a directory inside the volume", c.DataDir, mounts)
	}
	if mounts["/tmp"] == "" || mounts["/etc/mooring"] == "" {
		t.Errorf("mounts %v", mounts)
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || host != "0.0.0.0" || port != fmt.Sprint(container.Ports[0].ContainerPort) {
		t.Errorf("listen = %q with containerPort %d", c.Listen, container.Ports[0].ContainerPort)
	}
	if l, r := container.LivenessProbe.HTTPGet, container.ReadinessProbe.HTTPGet; l.Path != "/healthz" || r.Path != "/readyz" || l.Port.StrVal != container.Ports[0].Name {
		t.Errorf("probes: %+v, %+v", l, r)
	}
	if len(c.Clusters) != 1 || !c.Clusters[0].InCluster || !c.Clusters[0].Default {
		t.Errorf("clusters = %+v", c.Clusters)
	}
	var settings corev1.ConfigMap
	pick(t, objects, "ConfigMap", "mooring", &settings)
	if settings.Name == "mooring" || settings.Name != pod.Volumes[1].ConfigMap.Name || settings.Data["server.hcl"] == "" {
		t.Errorf("ConfigMap %s, the Pod has %s: a changed file must make a new Pod", settings.Name, pod.Volumes[1].ConfigMap.Name)
	}
	for _, o := range objects {
		if o.GetKind() == "Secret" || o.GetKind() == "ClusterRoleBinding" {
			t.Errorf("%s is rendered: no secret and no right over the whole cluster is given by default", o.Ref())
		}
	}
}

// TestOnARealCluster applies all of it, reads it back, and then uses the rights that it gave.
func TestOnARealCluster(t *testing.T) {
	running := parts.ClusterForTest(t)
	admin, err := k8s.Connect(k8s.ClusterConfig{Name: "admin", KubeconfigPath: running.Kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	rest, err := clientcmd.BuildConfigFromFlags("", running.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(rest)
	if err != nil {
		t.Fatal(err)
	}
	// This cluster has no storage driver: a volume by hand, which its controller binds to the claim.
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "mooring"},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:               corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")},
			AccessModes:            []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "csi.example.com", VolumeHandle: "mooring"}},
		},
	}
	if _, err := client.CoreV1().PersistentVolumes().Create(t.Context(), volume, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	objects := render(t)
	set := k8s.Set{ID: "test/deploy", Timeout: time.Minute}
	result, err := admin.Apply(t.Context(), set, objects, k8s.Inventory{}, k8s.ApplyOptions{})
	for _, o := range result.Objects {
		t.Log(o.Ref, o.Action, o.Health, o.Message)
	}
	if err != nil {
		t.Fatal(err)
	}
	if result.Created != len(objects) {
		t.Errorf("%d of %d objects created", result.Created, len(objects))
	}
	again, err := admin.Apply(t.Context(), set, objects, result.Inventory, k8s.ApplyOptions{})
	if err != nil || again.Unchanged != len(objects) {
		t.Errorf("the second time: %v, %d of %d objects unchanged", err, again.Unchanged, len(objects))
	}

	// The namespace admits nothing but restricted Pods: one that is there has passed.
	pods, err := client.CoreV1().Pods("mooring").List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=mooring"})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("Pods: %v, %v, want one", pods, err)
	}
	if image := pods.Items[0].Spec.Containers[0].Image; image != "registry.example.com/mooring:latest" {
		t.Errorf("image = %s", image)
	}
	read, err := client.AppsV1().Deployments("mooring").Get(t.Context(), "mooring", metav1.GetOptions{})
	if err != nil || *read.Spec.Template.Spec.TerminationGracePeriodSeconds != 180 || read.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Errorf("the Deployment reads back as %+v, %v", read.Spec, err)
	}

	useRights(t, client, running)
}

const workload = `apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: apps}
data: {a: "1"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: apps}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.com/web:1}]}
`

// useRights applies as the service account: what it may, and what it may not.
func useRights(t *testing.T, client kubernetes.Interface, running *parts.RunningCluster) {
	t.Helper()
	token, err := client.CoreV1().ServiceAccounts("mooring").CreateToken(t.Context(), "mooring", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := clientcmd.LoadFromFile(running.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for name := range kubeconfig.AuthInfos {
		kubeconfig.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	}
	text, err := clientcmd.Write(*kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	mooring, err := k8s.Connect(k8s.ClusterConfig{Name: "mooring", Kubeconfig: text})
	if err != nil {
		t.Fatal(err)
	}
	defer mooring.Close()

	set := k8s.Set{ID: "test/web", DefaultNamespace: "apps", Prune: true, Timeout: time.Minute}
	objects := parse(t, workload)
	result, err := mooring.Apply(t.Context(), set, objects, k8s.Inventory{}, k8s.ApplyOptions{})
	if err != nil || result.Created != 2 {
		t.Fatalf("apply as Mooring: %v, %+v", err, result)
	}
	// One object that Mooring may not make holds back the whole set.
	for _, more := range []string{
		"apiVersion: v1\nkind: Secret\nmetadata: {name: web, namespace: apps}\n",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: default}\n",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: mooring}\n",
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: more}\n",
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: mine}\n" +
			"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\n",
	} {
		changed := strings.Replace(workload, `a: "1"`, `a: "2"`, 1)
		refused, err := mooring.Apply(t.Context(), set, parse(t, changed+"---\n"+more), result.Inventory, k8s.ApplyOptions{})
		if !errors.Is(err, k8s.ErrForbidden) || refused.Configured+refused.Created > 0 {
			t.Errorf("apply of\n%s\n%v, %+v, want a refusal and nothing written", more, err, refused)
		}
	}
	gone, err := mooring.Delete(t.Context(), set, result.Inventory, k8s.ApplyOptions{})
	if err != nil || gone.Pruned != 2 {
		t.Errorf("delete as Mooring: %v, %+v", err, gone)
	}
}

// parse makes objects of YAML documents.
func parse(t *testing.T, manifests string) []k8s.Object {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "m.yaml"), []byte(manifests), 0o600); err != nil {
		t.Fatal(err)
	}
	objects, err := k8s.Render(k8s.Source{Root: dir})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}
