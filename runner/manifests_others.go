package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/workspace"
)

// otherSets answers which other set of the same cluster wants an object now, so that an object that moves from one to another is
// not deleted on the way, and one that two of them want is an error. It looks when it is first asked, which is seldom.
func (x *execution) otherSets(ctx context.Context, self *workspace.Unit) func(k8s.ID) (string, error) {
	var wanted map[k8s.ID]string
	var unclear error
	return func(id k8s.ID) (string, error) {
		if wanted == nil {
			wanted = map[k8s.ID]string{}
			unclear = errors.Join(x.wantedHere(ctx, self, wanted), x.heldByOthers(self, wanted))
		}
		if set := wanted[id]; set != "" {
			return set, nil
		}
		return "", unclear
	}
}

// wantedHere renders the other sets of the commit that go to the same cluster.
func (x *execution) wantedHere(ctx context.Context, self *workspace.Unit, wanted map[k8s.ID]string) error {
	var unclear error
	for _, u := range x.graph.Units {
		if Kind(u.Kind) != KindManifests || u.ID == self.ID || !x.sameCluster(u, self) {
			continue
		}
		set := setOf(x.run.Repository, u)
		if _, _, err := x.r.clusters.limit(x.run.Repository, u, &set); err != nil {
			continue // it is refused: what it names stays whose it is
		}
		src, _, err := x.source(ctx, u, x.commit())
		var objects []k8s.Object
		if err == nil {
			objects, err = x.r.render(ctx, u, src)
		}
		if err != nil {
			unclear = errors.Join(unclear, fmt.Errorf("it cannot be said what the set %s wants: %w", u.ID, err))
			continue
		}
		for _, o := range objects {
			// Whether a kind is namespaced only the cluster knows: both readings count.
			id := o.ID()
			readings := []k8s.ID{id}
			if id.Namespace == "" {
				id.Namespace = set.Namespace()
				readings = append(readings, id)
			}
			for _, id := range readings {
				if set.Allows(id) {
					wanted[id] = u.ID
				}
			}
		}
	}
	return unclear
}

// heldByOthers adds what sets of other repositories hold in the same cluster.
func (x *execution) heldByOthers(self *workspace.Unit, wanted map[k8s.ID]string) error {
	return x.r.journal.view(func(tx *bbolt.Tx) error {
		for _, repo := range x.r.repos {
			if repo.cfg.Name == x.run.Repository {
				continue
			}
			all, err := memories(tx, repo.cfg.Name)
			if err != nil {
				return err
			}
			for _, m := range all {
				if m.Kind != KindManifests || m.Departed != nil || x.r.clusters.resolve(m.Cluster) != x.r.clusters.resolve(self.Cluster) {
					continue
				}
				var inv k8s.Inventory
				if len(m.Inventory) == 0 || json.Unmarshal(m.Inventory, &inv) != nil {
					continue
				}
				for _, item := range inv.Items {
					wanted[item.ID] = repo.cfg.Name + "/" + m.ID
				}
			}
		}
		return nil
	})
}

// sameCluster tells whether two sets may meet. One whose kubeconfig is an output may go anywhere.
func (x *execution) sameCluster(a, b *workspace.Unit) bool {
	return a.Kubeconfig || b.Kubeconfig || x.r.clusters.resolve(a.Cluster) == x.r.clusters.resolve(b.Cluster)
}
