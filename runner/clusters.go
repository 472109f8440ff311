package runner

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/workspace"
)

// clusters are the ones that the server's configuration offers, connected when
// first used and kept: what a connection has learnt of a cluster is worth keeping.
type clusters struct {
	byName    map[string]ClusterConfig
	byDefault string // "" where there is none
	version   string

	mu   sync.Mutex // guards open and stay
	open map[string]*k8s.Cluster
	stay bool // connections are for long: what watches learn pays off
}

// errNoCluster is returned for a manifest set that no cluster is configured for.
var errNoCluster = errors.New("no cluster is configured")

func newClusters(configs []ClusterConfig, version string) (*clusters, error) {
	c := &clusters{byName: map[string]ClusterConfig{}, version: version, open: map[string]*k8s.Cluster{}}
	for _, cfg := range configs {
		if _, twice := c.byName[cfg.Name]; twice {
			return nil, fmt.Errorf("cluster %s is configured twice", cfg.Name)
		}
		c.byName[cfg.Name] = cfg
		if cfg.Default || len(configs) == 1 {
			c.byDefault = cfg.Name
		}
	}
	return c, nil
}

func (c *clusters) names() []string { return slices.Sorted(maps.Keys(c.byName)) }

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

// connect returns the cluster with the name, or the default one for "".
func (c *clusters) connect(name string) (*k8s.Cluster, error) {
	if name = c.resolve(name); name == "" {
		return nil, fmt.Errorf("%w: add a cluster block to the server's configuration, with default = true where there are several", errNoCluster)
	}
	cfg, ok := c.byName[name]
	if !ok {
		return nil, fmt.Errorf("cluster %q is not in the server's configuration, which has %s", name, strings.Join(c.names(), ", "))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if open := c.open[name]; open != nil {
		return open, nil
	}
	cluster, err := k8s.Connect(k8s.ClusterConfig{
		Name: cfg.Name, KubeconfigPath: cfg.Kubeconfig, Context: cfg.Context,
		InCluster: cfg.InCluster, AllowExec: cfg.AllowExec, Version: c.version, Watch: c.stay,
	})
	if err != nil {
		return nil, err
	}
	c.open[name] = cluster
	return cluster, nil
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
