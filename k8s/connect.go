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

// Cluster is a connection to one cluster as one user. It is safe for concurrent use. What was learned about the
// cluster itself, its kinds and schemas, is kept by its base, whoever asks.
type Cluster struct {
	name   string
	host   string
	user   string   // whom it impersonates; "" for the cluster's own credentials
	base   *Cluster // with the cluster's own credentials; itself where it has those
	config *rest.Config
	client *http.Client
	source string   // where the credentials come from, for messages
	files  []string // what the connection was made of
	stamp  [32]byte // what they held then
	rest   rest.Interface
	now    func() time.Time
	narrow narrow // lists that are forbidden to the user

	patience patience // with what is not healthy yet
	vitals   vitals   // what drift scans have seen of objects' health

	watches           *watches // of what carries our label; nil: a look is a list
	definitionWatches *watches // of epochKinds

	mu            sync.Mutex            // guards the fields below, which only the base uses
	kinds         *kinds                // nil: not asked yet
	schemas       map[string]*schemaDoc // by group version
	serverVersion string                // "": not asked yet
	identity      string                // of the cluster; "": not asked yet
	users         map[string]*Cluster   // those that As has made
}

// Connect reads the configuration and prepares a client. It sends no request. Whether the credentials have
// expired is for CheckCredentials to say.
func Connect(cfg ClusterConfig) (*Cluster, error) {
	before := stampOf([]string{cfg.KubeconfigPath})
	config, err := restConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", cfg.Name, err)
	}
	c, err := connect(cfg, config)
	if err == nil && before != stampOf([]string{cfg.KubeconfigPath}) {
		c.stamp = before // it changed while it was read: stale from the start
	}
	return c, err
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
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", cfg.Name, err)
	}
	c := &Cluster{name: cfg.Name, host: config.Host, config: config, source: cfg.source(), now: cfg.Now, patience: defaultPatience(),
		schemas: map[string]*schemaDoc{}, users: map[string]*Cluster{}}
	c.base = c
	if c.now == nil {
		c.now = time.Now
	}
	c.files = []string{cfg.KubeconfigPath, config.CAFile, config.CertFile, config.KeyFile}
	c.stamp = stampOf(c.files)
	return c, c.use(client, cfg.Watch)
}

// use makes the client the one that requests, and watches if there are to be some, go through.
func (c *Cluster) use(client *http.Client, watch bool) error {
	var err error
	c.client = client
	if c.rest, err = rest.RESTClientForConfigAndClient(c.config, client); err != nil {
		return fmt.Errorf("cluster %s: %w", c.name, err)
	}
	if !watch {
		return nil
	}
	// The same connections carry requests and watches.
	meta, err := metadata.NewForConfigAndClient(metadata.ConfigFor(c.config), client)
	if err != nil {
		return fmt.Errorf("cluster %s: %w", c.name, err)
	}
	if c != c.base {
		c.watches = newWatches(meta, func() {}) // mostly what is lost to a user is what he may not watch
		return nil
	}
	lost := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.serverVersion = ""
	}
	c.watches, c.definitionWatches = newWatches(meta, lost), newWatches(meta, lost)
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

// Close ends the watches and drops idle connections, those of all users.
func (c *Cluster) Close() {
	b := c.base
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, as := range b.users {
		as.watches.end()
	}
	b.watches.end()
	b.definitionWatches.end()
	utilnet.CloseIdleConnectionsFor(b.client.Transport)
}
