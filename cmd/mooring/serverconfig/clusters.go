package serverconfig

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// Cluster is a Kubernetes cluster that a repository may name.
type Cluster struct {
	Name         string
	Kubeconfig   string // path; "" with InCluster
	Context      string // "" for the kubeconfig's current one
	InCluster    bool
	Default      bool     // for manifest sets that name none
	AllowExec    bool     // exec plugins in the kubeconfig may run
	Repositories []string // that may use it; none means all
	// RequireNamespace refuses namespaced objects that get the namespace "default"
	// because neither they nor their set name another.
	RequireNamespace bool
	// Allow says what sets may do, the first that covers a set. Without any, every
	// set may do everything with the cluster's own credentials.
	Allow []Allow
}

// Allow is what the sets below some path may do. In As, Namespaces, Kinds and
// ClusterKinds, "${0}" stands for what the first wildcard of Path stood for.
type Allow struct {
	Path         string   // of sets; * and ** as in mooring.hcl
	Repositories []string // none means all that may use the cluster
	As           []string // patterns of users, one of whom sets must act as; none: the cluster's own credentials
	Namespaces   []string
	Kinds        []string // of namespaced objects
	ClusterKinds []string
}

var clusterSchema = &hcl.BodySchema{
	Attributes: attributes("kubeconfig", "context", "in_cluster", "default", "allow_exec", "repositories", "require_namespace").Attributes,
	Blocks:     []hcl.BlockHeaderSchema{{Type: "allow", LabelNames: []string{"path"}}},
}

func (d *decoder) cluster(b *hcl.Block) Cluster {
	content := d.content(b.Body, clusterSchema)
	at := content.Attributes
	c := Cluster{
		Name:             b.Labels[0],
		Kubeconfig:       d.existing(at["kubeconfig"]),
		Context:          d.text(at["context"]),
		InCluster:        d.flag(at["in_cluster"]),
		Default:          d.flag(at["default"]),
		AllowExec:        d.flag(at["allow_exec"]),
		Repositories:     d.repositoryNames(at["repositories"]),
		RequireNamespace: d.flag(at["require_namespace"]),
	}
	switch {
	case at["kubeconfig"] == nil && !c.InCluster:
		d.fail(b.DefRange, "Cluster without an address", fmt.Sprintf("Cluster %q needs kubeconfig = \"path\", or in_cluster = true where Mooring runs inside it. $KUBECONFIG is never read.", c.Name))
	case at["kubeconfig"] != nil && c.InCluster:
		d.fail(at["kubeconfig"].NameRange, "Cluster with two addresses", fmt.Sprintf("Cluster %q has both kubeconfig and in_cluster: keep one.", c.Name))
	case c.Context != "" && c.InCluster:
		d.fail(at["context"].NameRange, "Context without a kubeconfig", "A context is chosen from a kubeconfig; in_cluster has none.")
	}
	for _, allow := range content.Blocks {
		c.Allow = append(c.Allow, d.allow(allow))
	}
	return c
}

// repositoryNames takes a list of repositories, which may follow in the file.
func (d *decoder) repositoryNames(a *hcl.Attribute) []string {
	if a == nil {
		return nil
	}
	all := d.items(a)
	if len(all) == 0 {
		d.fail(a.Expr.Range(), "No repository", "An empty list lets no repository in: name some, or leave it out for all.")
	}
	var names []string
	for _, i := range all {
		names = append(names, i.text)
	}
	d.repositories = append(d.repositories, all...)
	return names
}

// checkRepositories refuses names of repositories that the file does not have.
func (d *decoder) checkRepositories(c *Config) {
	var names []string
	for _, r := range c.Repositories {
		names = append(names, r.Name)
	}
	for _, used := range d.repositories {
		switch {
		case len(names) == 0:
			d.fail(used.at, "Unknown repository", "This file has no repository block.")
		default:
			d.known(used.at, "each entry of repositories", used.text, names...)
		}
	}
}
