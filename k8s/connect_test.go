package k8s

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func kubeconfig(cluster, user string) []byte {
	return []byte("apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: \"https://127.0.0.1:1\"" +
		cluster + "}}]\nusers: [{name: u, user: {" + user + "}}]\n")
}

func TestConnectRefuses(t *testing.T) {
	execUser := "exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/true, interactiveMode: Never}"
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, kubeconfig("", execUser), 0o600); err != nil {
		t.Fatal(err)
	}
	provider := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(provider, kubeconfig("", "auth-provider: {name: gcp}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		cfg  ClusterConfig
		is   error
		want string
	}{
		{name: "program in an output", cfg: ClusterConfig{Kubeconfig: kubeconfig("", execUser)}, is: ErrExecPlugin},
		{name: "program in an output, though files may", cfg: ClusterConfig{Kubeconfig: kubeconfig("", execUser), AllowExec: true}, is: ErrExecPlugin},
		{name: "program in a file", cfg: ClusterConfig{KubeconfigPath: file}, is: ErrExecPlugin},
		{name: "auth provider", cfg: ClusterConfig{Kubeconfig: kubeconfig("", "auth-provider: {name: gcp}")}, is: ErrExecPlugin},
		{name: "token file in an output", cfg: ClusterConfig{Kubeconfig: kubeconfig("", "tokenFile: /etc/passwd")}, is: ErrLocalFile},
		{name: "key file in an output", cfg: ClusterConfig{Kubeconfig: kubeconfig("", "client-key: /etc/passwd")}, is: ErrLocalFile},
		{name: "CA file in an output", cfg: ClusterConfig{Kubeconfig: kubeconfig(", certificate-authority: /etc/passwd", "token: x")}, is: ErrLocalFile},
		{name: "proxy in an output", cfg: ClusterConfig{Kubeconfig: kubeconfig(", proxy-url: \"http://127.0.0.1:2\"", "token: topsecret")}, is: ErrProxy},
		{name: "any server in an output", cfg: ClusterConfig{Kubeconfig: kubeconfig(", insecure-skip-tls-verify: true", "token: topsecret")}, is: ErrInsecure},
		{name: "no TLS in an output", cfg: ClusterConfig{Kubeconfig: bytes.Replace(kubeconfig("", "token: topsecret"), []byte("https://"), []byte("http://"), 1)}, is: ErrInsecure},
		{name: "auth provider in a file", cfg: ClusterConfig{KubeconfigPath: provider, AllowExec: true}, is: ErrExecPlugin, want: "gone from Kubernetes' client libraries"},
		{name: "user that is not there", cfg: ClusterConfig{Kubeconfig: bytes.Replace(kubeconfig("", "token: topsecret"), []byte("user: u}"), []byte("user: v}"), 1)}, want: `"v"; it has u`},
		{name: "no kubeconfig", cfg: ClusterConfig{Kubeconfig: []byte("token: [topsecret")}, want: "the kubeconfig from an output is not a kubeconfig"},
		{name: "no such context", cfg: ClusterConfig{Kubeconfig: kubeconfig("", "token: topsecret"), Context: "x"}, want: `no context "x"; it has c`},
		{name: "missing file", cfg: ClusterConfig{KubeconfigPath: "/nonexistent/k"}, want: "/nonexistent/k"},
		{name: "nothing", want: "no kubeconfig is configured"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Name = "prod"
			_, err := Connect(tt.cfg)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "topsecret") {
				t.Errorf("error = %v", err)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "cluster prod: ") {
				t.Errorf("error does not name the cluster: %v", err)
			}
		})
	}
	if _, err := Connect(ClusterConfig{KubeconfigPath: file, AllowExec: true}); err != nil {
		t.Errorf("a program the operator allows: %v", err)
	}
}

func TestInsecureKubeconfigOfTheOperatorIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubeconfig")
	for options, want := range map[string]int{", insecure-skip-tls-verify: true": 1, "": 0} {
		if err := os.WriteFile(file, kubeconfig(options, "token: topsecret"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Connect(ClusterConfig{Name: "prod", KubeconfigPath: file})
		if err != nil {
			t.Fatal(err)
		}
		if w := c.Warnings(); len(w) != want {
			t.Errorf("%q: warnings %q", options, w)
		}
	}
}
