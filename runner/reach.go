package runner

import (
	"encoding/json"
	"fmt"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/workspace"
)

// reach connects a manifest set with its cluster, as whom the set may act there, and
// holds the set to what it may touch. close is called when the set is done. The
// error wraps errNoCluster where there is none, and errNotKnown where the cluster
// comes from an output that no apply has made yet.
func (c *clusters) reach(repository string, u *workspace.Unit, outs upstreamOutputs, set *k8s.Set) (cluster *k8s.Cluster, done func(), err error) {
	done = func() {} // the server's clusters stay connected
	cfg, as, err := c.limit(repository, u, set)
	if err != nil {
		return nil, done, err
	}
	var own *k8s.Cluster
	if u.Kubeconfig {
		if own, err = c.fromOutput(u, outs); err != nil {
			return nil, done, err
		}
		done = own.Close
	} else if own, err = c.connect(cfg); err != nil {
		return nil, done, err
	}
	cluster, err = own.As(as)
	return cluster, done, err
}

// limit holds a set to what it may touch, and says in which cluster of the server's,
// if in one of those, and as whom.
func (c *clusters) limit(repository string, u *workspace.Unit, set *k8s.Set) (cfg ClusterConfig, as string, err error) {
	may := grant{as: u.As} // with credentials that an output holds, they decide
	if !u.Kubeconfig {
		if cfg, err = c.find(repository, u.Cluster); err != nil {
			return cfg, "", err
		}
		if may, err = cfg.grant(repository, u); err != nil {
			return cfg, "", err
		}
	}
	set.Allow = append(may.allow, ownLimits(u)...)
	set.RequireNamespace = u.RequireNamespace || may.requireNamespace && u.Namespace == ""
	return cfg, may.as, nil
}

// fromOutput connects with a kubeconfig that a workspace made.
func (c *clusters) fromOutput(u *workspace.Unit, outs upstreamOutputs) (*k8s.Cluster, error) {
	kubeconfig, err := u.KubeconfigFrom(outs)
	if err != nil {
		return nil, err
	}
	if kubeconfig.Unknown {
		return nil, fmt.Errorf("kubeconfig of %s: %w", u.ID, errNotKnown)
	}
	var text string
	if err := json.Unmarshal(kubeconfig.JSON, &text); err != nil {
		return nil, fmt.Errorf("kubeconfig of %s: the output is no string", u.ID)
	}
	cluster, err := k8s.Connect(k8s.ClusterConfig{Name: u.ID, Kubeconfig: []byte(text), Version: c.version})
	if err != nil {
		return nil, err
	}
	return cluster, cluster.CheckCredentials(c.now())
}
