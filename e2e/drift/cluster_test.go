package drift

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/mooring-iac/mooring/e2e/parts"
)

// cluster is the real API server as another client than Mooring sees it, with a namespace of the test's own.
type cluster struct {
	t      *testing.T
	client *kubernetes.Clientset
	ns     string
	*relay
}

func newCluster(t *testing.T, ns string) *cluster {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", parts.ClusterForTest(t).Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ns = fmt.Sprintf("%s-%x", ns, time.Now().UnixNano()&0xffffff) // also where the test runs more than once
	c := &cluster{t: t, client: client, ns: ns, relay: newRelay(t, config)}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return c
}

// block is the cluster in server.hcl.
func (c *cluster) block() string {
	return fmt.Sprintf("cluster \"real\" {\n  kubeconfig = %q\n  default    = true\n}\n", c.kubeconfig)
}

// scale sets replicas as `kubectl scale` does.
func (c *cluster) scale(name string, replicas int) {
	c.t.Helper()
	_, err := c.client.AppsV1().Deployments(c.ns).Patch(c.t.Context(), name, types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas),
		metav1.PatchOptions{FieldManager: "kubectl"}, "scale")
	if err != nil {
		c.t.Fatal(err)
	}
}

// edit changes a value of a ConfigMap as a manager.
func (c *cluster) edit(by, name, key, value string) {
	c.t.Helper()
	_, err := c.client.CoreV1().ConfigMaps(c.ns).Patch(c.t.Context(), name, types.MergePatchType, fmt.Appendf(nil, `{"data":{%q:%q}}`, key, value),
		metav1.PatchOptions{FieldManager: by})
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) remove(name string) {
	c.t.Helper()
	if err := c.client.CoreV1().ConfigMaps(c.ns).Delete(c.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

// relay stands before the API server with the administrator's credentials, and notes what is asked.
type relay struct {
	kubeconfig string // that leads to it

	mu   sync.Mutex // guards sent
	sent []string
}

func newRelay(t *testing.T, config *rest.Config) *relay {
	t.Helper()
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target) }, Transport: transport, FlushInterval: -1}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.sent = append(r.sent, req.Method+" "+req.URL.RequestURI())
		r.mu.Unlock()
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	k := clientcmdapi.NewConfig()
	k.Clusters["relay"] = &clientcmdapi.Cluster{Server: server.URL, CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})}
	k.Contexts["relay"] = &clientcmdapi.Context{Cluster: "relay"}
	k.CurrentContext = "relay"
	if err := clientcmd.WriteToFile(*k, r.kubeconfig); err != nil {
		t.Fatal(err)
	}
	return r
}

// forget drops what was asked up to now.
func (r *relay) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = nil
}

// requests are what was asked since, a line each.
func (r *relay) requests() (n int, all string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sent), strings.Join(r.sent, "\n")
}

func configMap(ns, name, key, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n  namespace: %s\ndata:\n  %s: %q\n---\n", name, ns, key, value)
}

func deployment(ns, name string, replicas int) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[2]s
  namespace: %[1]s
spec:
  replicas: %[3]d
  selector:
    matchLabels: {app: %[2]s}
  template:
    metadata:
      labels: {app: %[2]s}
    spec:
      containers:
        - name: main
          image: registry.k8s.io/pause:3.10
---
`, ns, name, replicas)
}
