package k8s

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func (cfg ClusterConfig) inMemory() bool { return len(cfg.Kubeconfig) > 0 }

// source is where the credentials come from.
func (cfg ClusterConfig) source() string {
	switch {
	case cfg.InCluster:
		return "the service account of Mooring's own Pod"
	case cfg.inMemory():
		return "the kubeconfig from an output"
	}
	return "kubeconfig " + cfg.KubeconfigPath
}

func restConfig(cfg ClusterConfig) (*rest.Config, error) {
	var kubeconfig *clientcmdapi.Config
	var err error
	switch {
	case cfg.InCluster:
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("in-cluster configuration: %w", err)
		}
		return config, nil
	case cfg.inMemory():
		if kubeconfig, err = clientcmd.Load(cfg.Kubeconfig); err != nil {
			// The parser's words could repeat a token.
			return nil, errors.New("the kubeconfig from an output is not a kubeconfig")
		}
	case cfg.KubeconfigPath != "":
		if kubeconfig, err = clientcmd.LoadFromFile(cfg.KubeconfigPath); err != nil {
			return nil, fmt.Errorf("read kubeconfig %s: %w", cfg.KubeconfigPath, err)
		}
		if err := clientcmd.ResolveLocalPaths(kubeconfig); err != nil {
			return nil, fmt.Errorf("read kubeconfig %s: %w", cfg.KubeconfigPath, err)
		}
	default:
		return nil, errors.New("no kubeconfig is configured")
	}
	if err := admit(kubeconfig, cfg); err != nil {
		return nil, err
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*kubeconfig, cfg.Context, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return config, nil
}

// admit refuses kubeconfigs that run programs, and in one that came from an output what its author could misuse:
// files of this machine, which he could have sent to a server of his own, proxies, and servers that anybody can
// pose as.
func admit(k *clientcmdapi.Config, cfg ClusterConfig) error {
	user, cluster, err := chosen(k, cfg.Context)
	if err != nil {
		return err
	}
	switch inMemory := cfg.inMemory(); {
	case user.AuthProvider != nil:
		return fmt.Errorf("%w: auth-provider %q is gone from Kubernetes' client libraries; use a token, a certificate or, where the operator allows it, exec", ErrExecPlugin, user.AuthProvider.Name)
	case user.Exec != nil && inMemory:
		return fmt.Errorf("%w: in one from an output always; give it a token or a certificate", ErrExecPlugin)
	case user.Exec != nil && !cfg.AllowExec:
		return fmt.Errorf("%w: the operator allows it with allow_exec = true in the cluster block", ErrExecPlugin)
	case !inMemory:
		return nil
	}
	for _, f := range []struct{ key, path string }{
		{"certificate-authority", cluster.CertificateAuthority}, {"client-certificate", user.ClientCertificate},
		{"client-key", user.ClientKey}, {"tokenFile", user.TokenFile},
	} {
		if f.path != "" {
			return fmt.Errorf("%w: %s; write the content out, as %s-data does", ErrLocalFile, f.key, strings.TrimSuffix(f.key, "File"))
		}
	}
	switch {
	case cluster.ProxyURL != "":
		return fmt.Errorf("%w: take proxy-url out; where a proxy is needed, the operator sets HTTPS_PROXY for Mooring, or gives the cluster in server.hcl", ErrProxy)
	case cluster.InsecureSkipTLSVerify:
		return fmt.Errorf("%w: it says insecure-skip-tls-verify; give it certificate-authority-data", ErrInsecure)
	case !strings.HasPrefix(cluster.Server, "https://"):
		return fmt.Errorf("%w: its server is no https:// address", ErrInsecure)
	}
	return nil
}

// chosen finds what a context leads to. A context without a user is one without credentials.
func chosen(k *clientcmdapi.Config, name string) (*clientcmdapi.AuthInfo, *clientcmdapi.Cluster, error) {
	if name == "" {
		name = k.CurrentContext
	}
	if name == "" {
		return nil, nil, fmt.Errorf("the kubeconfig has no current context; name one: it has %s", namesOf(k.Contexts))
	}
	ctx := k.Contexts[name]
	if ctx == nil {
		return nil, nil, fmt.Errorf("the kubeconfig has no context %q; it has %s", name, namesOf(k.Contexts))
	}
	cluster, user := k.Clusters[ctx.Cluster], k.AuthInfos[ctx.AuthInfo]
	switch {
	case cluster == nil:
		return nil, nil, fmt.Errorf("context %q names a cluster that the kubeconfig does not have: %q; it has %s", name, ctx.Cluster, namesOf(k.Clusters))
	case user == nil && ctx.AuthInfo != "":
		return nil, nil, fmt.Errorf("context %q names a user that the kubeconfig does not have: %q; it has %s", name, ctx.AuthInfo, namesOf(k.AuthInfos))
	case user == nil:
		user = clientcmdapi.NewAuthInfo()
	}
	return user, cluster, nil
}

func namesOf[T any](m map[string]T) string {
	if len(m) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

// Warnings are what the operator should know of the connection.
func (c *Cluster) Warnings() []string {
	if c.config.Insecure {
		return []string{fmt.Sprintf("cluster %s: %s says insecure-skip-tls-verify: anybody on the way can pose as the cluster and take the credentials", c.name, c.source)}
	}
	return nil
}
