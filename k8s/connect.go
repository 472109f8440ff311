package k8s

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ClusterConfig says how to reach a cluster. Exactly one of KubeconfigPath, Kubeconfig and InCluster is set; the
// KUBECONFIG variable and ~/.kube are never looked at.
type ClusterConfig struct {
	Name           string // for messages
	KubeconfigPath string // a file of the operator's
	Context        string // "" means the kubeconfig's current context
	Kubeconfig     []byte // a kubeconfig from an output: stays in memory, may name no program and no file
	InCluster      bool   // the service account of the Pod this runs in
	AllowExec      bool   // credential programs are allowed in KubeconfigPath
	Version        string // of Mooring, for the user agent
	// Watch keeps a watch of metadata for each kind that sets have objects of: for a connection that stays.
	Watch bool
	// Wrap goes around what sends requests; nil is nothing.
	Wrap func(http.RoundTripper) http.RoundTripper
	Now  func() time.Time // nil is the machine's clock
}

// Cluster is a connection to one cluster. It is safe for concurrent use and keeps what it learned about the
// cluster's kinds and schemas.
type Cluster struct {
	name string
	host string
	rest rest.Interface
	now  func() time.Time

	patience patience // with what is not healthy yet

	watches           *watches // of what carries our label; nil: a look is a list
	definitionWatches *watches // of epochKinds

	mu            sync.Mutex            // guards the fields below
	kinds         *kinds                // nil: not asked yet
	schemas       map[string]*schemaDoc // by group version
	serverVersion string                // "": not asked yet
	identity      string                // of the cluster; "": not asked yet
}

// Connect reads the configuration and prepares a client. It sends no request.
func Connect(cfg ClusterConfig) (*Cluster, error) {
	config, err := restConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", cfg.Name, err)
	}
	return connect(cfg, config)
}

func connect(cfg ClusterConfig, config *rest.Config) (*Cluster, error) {
	config.UserAgent = "mooring/" + cfg.Version
	if cfg.Version == "" {
		config.UserAgent = "mooring"
	}
	// The server has its own fairness; a limiter here would only make 1,000 objects slow.
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{}
	if config.Dial == nil {
		config.Dial = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	config.GroupVersion = &schema.GroupVersion{}
	config.ContentType = runtime.ContentTypeJSON
	config.AcceptContentTypes = runtime.ContentTypeJSON
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	if cfg.Wrap != nil {
		config.Wrap(cfg.Wrap)
	}
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", cfg.Name, err)
	}
	c := &Cluster{name: cfg.Name, host: config.Host, rest: client, now: cfg.Now, patience: defaultPatience(), schemas: map[string]*schemaDoc{}}
	if c.now == nil {
		c.now = time.Now
	}
	if cfg.Watch {
		// The same connections carry requests and watches.
		meta, err := metadata.NewForConfigAndClient(metadata.ConfigFor(config), client.Client)
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", cfg.Name, err)
		}
		lost := func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.serverVersion = ""
		}
		c.watches, c.definitionWatches = newWatches(meta, lost), newWatches(meta, lost)
	}
	return c, nil
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
	case len(cfg.Kubeconfig) > 0:
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

// admit refuses kubeconfigs that run programs, and files of this machine in one that came from an output: its
// author could have any file of the runner sent to a server of his own.
func admit(k *clientcmdapi.Config, cfg ClusterConfig) error {
	name := cfg.Context
	if name == "" {
		name = k.CurrentContext
	}
	ctx, ok := k.Contexts[name]
	if !ok {
		if name == "" {
			return errors.New("the kubeconfig has no current context; name one")
		}
		return fmt.Errorf("the kubeconfig has no context %q", name)
	}
	user, cluster := k.AuthInfos[ctx.AuthInfo], k.Clusters[ctx.Cluster]
	if cluster == nil {
		return fmt.Errorf("context %q names a cluster that the kubeconfig does not have: %q", name, ctx.Cluster)
	}
	inMemory := len(cfg.Kubeconfig) > 0
	if user != nil && (user.Exec != nil || user.AuthProvider != nil) && (inMemory || !cfg.AllowExec) {
		return ErrExecPlugin
	}
	if inMemory && (cluster.CertificateAuthority != "" ||
		user != nil && (user.ClientCertificate != "" || user.ClientKey != "" || user.TokenFile != "")) {
		return ErrLocalFile
	}
	return nil
}

// Name is the name the cluster was connected by.
func (c *Cluster) Name() string { return c.name }

// Check asks the server for its version. The error wraps ErrUnreachable, ErrUnauthorized or ErrForbidden.
func (c *Cluster) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(quiet(ctx), 10*time.Second)
	defer cancel()
	if _, err := c.rest.Get().AbsPath("/version").MaxRetries(0).DoRaw(ctx); err != nil {
		return c.wrap(explain(err, "the cluster's version", false))
	}
	return nil
}

// wrap names the cluster and its address in an error that is about the connection.
func (c *Cluster) wrap(err error) error {
	if errors.Is(err, ErrUnreachable) || errors.Is(err, ErrUnauthorized) {
		return fmt.Errorf("cluster %s (%s): %w", c.name, c.host, err)
	}
	return err
}

// Close ends the watches and drops idle connections.
func (c *Cluster) Close() {
	if c.watches != nil {
		c.watches.stop()
		c.definitionWatches.stop()
	}
	if client, ok := c.rest.(*rest.RESTClient); ok && client.Client != nil {
		utilnet.CloseIdleConnectionsFor(client.Client.Transport)
	}
}
