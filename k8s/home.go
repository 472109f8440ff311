package k8s

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// identify returns what tells this cluster from every other: the UID of its namespace kube-system, which lives as long as the
// cluster; "" where it may not be read.
func (c *Cluster) identify(ctx context.Context) (string, error) {
	c = c.base // it is the same for everybody
	c.mu.Lock()
	known := c.identity
	c.mu.Unlock()
	if known != "" {
		return known, nil
	}
	m, err := c.metadata(ctx, "/api/v1/namespaces/kube-system")
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", c.wrap(explain(err, "the cluster's identity", false))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.identity = string(m.UID)
	return c.identity, nil
}

// home makes sure that what the set holds is in this cluster. In another one it would look gone, and be made here a second time
// while the first stays behind for good.
func (x *execution) home(ctx context.Context) error {
	here, err := x.c.identify(ctx)
	if err != nil {
		return err
	}
	there := x.inv.Cluster
	if there == "" || here == "" || there == here || len(x.inv.Items) == 0 {
		if here != "" {
			x.inv.Cluster = here
		}
		return nil
	}
	if x.set.AllowMove {
		x.inv = Inventory{Cluster: here}
		x.held = map[ID]Item{}
		return nil
	}
	return fmt.Errorf("%w: it holds %d objects in the cluster %s, and cluster %s is now %s; they would stay behind there for good. Point the set back, or say yes to leaving them",
		ErrOtherCluster, len(x.inv.Items), there, x.c.name, here)
}
