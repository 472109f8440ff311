package runner

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/workspace"
)

// clusters are the ones that the server's configuration offers, connected when
// first used and kept: what a connection has learnt of a cluster is worth keeping.
type clusters struct {
	byName    map[string]ClusterConfig
	byDefault string // "" where there is none
	version   string
	warn      func(string) // says what the operator should know of a connection
	now       func() time.Time

	mu   sync.Mutex // guards open and stay
	open map[string]*k8s.Cluster
	stay bool // connections are for long: what watches learn pays off
}

// errNoCluster is returned for a manifest set that no cluster is configured for.
var errNoCluster = errors.New("no cluster is configured")

func newClusters(opts Options) (*clusters, error) {
	c := &clusters{byName: map[string]ClusterConfig{}, version: opts.Version, open: map[string]*k8s.Cluster{}, now: opts.Now,
		warn: func(text string) { opts.Log.Warn(text) }}
	for _, cfg := range opts.Clusters {
		if _, twice := c.byName[cfg.Name]; twice {
			return nil, fmt.Errorf("cluster %s is configured twice", cfg.Name)
		}
		c.byName[cfg.Name] = cfg
		if cfg.Default || len(opts.Clusters) == 1 {
			c.byDefault = cfg.Name
		}
	}
	return c, nil
}

// names are the clusters that a repository may use; "" stands for one that is not
// known by name, and may use those that any may.
func (c *clusters) names(repository string) []string {
	names := []string{}
	for _, name := range slices.Sorted(maps.Keys(c.byName)) {
		if c.byName[name].offeredTo(repository) {
			names = append(names, name)
		}
	}
	return names
}

// resolve returns the cluster's name, the default one's for "".
func (c *clusters) resolve(name string) string {
	if name == "" {
		return c.byDefault
	}
	return name
}

// cover makes sure that every manifest set has a cluster to go to, before anything
// of a commit is applied.
func (c *clusters) cover(g *workspace.Graph) error {
	var without []string
	for _, u := range g.Units {
		if Kind(u.Kind) == KindManifests && !u.Kubeconfig && c.resolve(u.Cluster) == "" {
			without = append(without, u.ID)
		}
	}
	if len(without) == 0 {
		return nil
	}
	return fmt.Errorf("%w for %s: add a cluster block to the server's configuration, with default = true where there are several; or, if the manifests are somebody else's, write discover = false in mooring.hcl and name the workspaces there", errNoCluster, strings.Join(without, ", "))
}

// find returns the configuration of the cluster with the name, or of the default
// one for "", if the repository may use it.
func (c *clusters) find(repository, name string) (ClusterConfig, error) {
	if name = c.resolve(name); name == "" {
		return ClusterConfig{}, fmt.Errorf("%w: add a cluster block to the server's configuration, with default = true where there are several", errNoCluster)
	}
	cfg, ok := c.byName[name]
	if !ok {
		return ClusterConfig{}, fmt.Errorf("cluster %q is not in the server's configuration, which has %s", name, strings.Join(c.names(repository), ", "))
	}
	if !cfg.offeredTo(repository) {
		return ClusterConfig{}, fmt.Errorf("cluster %q is not for repository %s: the server's configuration offers it to %s", name, repository, strings.Join(cfg.Repositories, ", "))
	}
	return cfg, nil
}

// connect returns the connection to a configured cluster: the one that is open, as
// long as the files it was made of say the same. Credentials that have expired are
// an error before anything is sent.
func (c *clusters) connect(cfg ClusterConfig) (*k8s.Cluster, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := c.open[cfg.Name]
	if open == nil || open.Stale() {
		fresh, err := k8s.Connect(k8s.ClusterConfig{
			Name: cfg.Name, KubeconfigPath: cfg.Kubeconfig, Context: cfg.Context,
			InCluster: cfg.InCluster, AllowExec: cfg.AllowExec, Version: c.version, Watch: c.stay,
		})
		if err != nil {
			return nil, err
		}
		if open != nil {
			open.Close() // who still works with it goes on
		}
		open, c.open[cfg.Name] = fresh, fresh
		for _, w := range fresh.Warnings() {
			c.warn(w)
		}
	}
	return open, open.CheckCredentials(c.now())
}

// watch has connections from now on keep watches, which cost a request each and save one for every look after it.
func (c *clusters) watch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stay = true
}

func (c *clusters) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cluster := range c.open {
		cluster.Close()
	}
	clear(c.open)
}
