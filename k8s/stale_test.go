package k8s

import (
	"os"
	"path/filepath"
	"testing"
)

func TestStale(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := keyPair(t, noon)
	text := kubeconfig("", "client-certificate: c.crt, client-key: c.key")
	put("c.crt", cert)
	put("c.key", key)
	put("kubeconfig", text)
	for name, change := range map[string]func(){
		"kubeconfig":  func() { put("kubeconfig", append([]byte("# new\n"), text...)) },
		"certificate": func() { put("c.crt", append([]byte("# new\n"), cert...)) },
		"key":         func() { put("c.key", append([]byte("# new\n"), key...)) },
		"gone":        func() { _ = os.Remove(filepath.Join(dir, "kubeconfig")) },
	} {
		put("kubeconfig", text)
		put("c.crt", cert)
		put("c.key", key)
		c, err := Connect(ClusterConfig{Name: "prod", KubeconfigPath: filepath.Join(dir, "kubeconfig")})
		if err != nil {
			t.Fatal(err)
		}
		put("kubeconfig", text) // written again, and the same
		if c.Stale() {
			t.Errorf("%s: stale before anything changed", name)
		}
		change()
		if !c.Stale() {
			t.Errorf("%s: the change is not seen", name)
		}
	}
}
