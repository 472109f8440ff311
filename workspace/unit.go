package workspace

import (
	"slices"
	"time"
)

// Kind tells a unit's two kinds apart.
type Kind string

const (
	KindWorkspace Kind = "workspace" // a root module with one Terraform workspace
	KindManifests Kind = "manifests" // a set of Kubernetes manifests for one cluster
)

// Unit is a node of the graph: what is locked, planned and applied. It is never
// changed after the scan.
type Unit struct {
	ID   string
	Kind Kind

	// Of a workspace:

	Dir       string   // repository path of the root module, as it was named
	Workspace string   // Terraform workspace, "default" when left out
	VarFiles  []string // repository paths, in the order in which they are given
	AutoApply string   // "always", "no_destroy", "never", or "" when nothing was said
	Module    *RootModule

	// Of a manifest set:

	Path       string   // repository path of its directory
	Exclude    []string // directories below Path that belong to other sets, sorted
	Cluster    string   // "" is the server's default
	Kubeconfig bool     // the cluster comes from an output: KubeconfigFrom
	Prune      bool
	Force      bool
	Namespace  string
	Timeout    time.Duration // 0 when nothing was said
	Chart      Chart         // of a set that is a Helm chart
	OnFailure  OnFailure     // what becomes of a set that does not get healthy
	Health     []HealthRule  // those of mooring.hcl, the same for all sets
	As         string        // whom it wants to act as in the cluster; "" when nothing was said
	Limits     *Limits       // what it holds itself to; nil for nothing

	RequireNamespace bool // its namespaced objects must name their namespace

	Drift DriftSettings // of either kind

	// File and Line are where the unit was declared; "" and 0 for one that was found.
	File string
	Line int
	// Err says why this unit cannot be run, while others can: a *ConfigError for
	// broken Terraform files, a *RefusedError for a cloud block.
	Err error

	decl     *block
	match    []string // each.match
	refs     []ref
	backend  []string // as BackendConfig answers
	files    []string // of a manifest set: files outside Path that it uses
	trees    []string // and directories
	realPath string   // Path, links followed
}

// Limits are what a manifest set holds its own objects to, as patterns in which * stands for any characters.
type Limits struct {
	Namespaces   []string // nil when nothing was said
	Kinds        []string // of namespaced objects; nil when nothing was said
	ClusterKinds []string // of objects that lie in no namespace; nil when nothing was said
}

// Chart is what a manifests block says of a Helm chart. The zero value is right for
// any other set.
type Chart struct {
	Release     string   // "" when nothing was said
	ValuesFiles []string // repository paths, in the order in which they are given
	KubeVersion string   // "" when nothing was said
	APIVersions []string
	IgnoreHooks []string
	Remote      *RemoteChart // nil for a chart that is in the repository
}

// StateIdentity names the place of the workspace's state: backend type, what names
// the state there, Terraform workspace. Equal identities are one state. It is "" for
// a manifest set and where the repository does not tell the place, and holds no credentials.
func (u *Unit) StateIdentity() string {
	if u.Module == nil {
		return ""
	}
	return u.Module.state.String()
}

// BackendConfig answers the values of -backend-config, in order: "key=value", or the
// repository path of a file.
func (u *Unit) BackendConfig() []string { return slices.Clone(u.backend) }

// ConfigDigest changes when the text of the block that declares the unit does; it is
// "" for a unit that was found.
func (u *Unit) ConfigDigest() string {
	if u.decl == nil {
		return ""
	}
	return u.decl.digest
}

// OnFailure says what becomes of a manifest set that does not get healthy.
type OnFailure string

// The zero value holds.
const (
	HoldOnFailure OnFailure = "hold"     // it stays as it is, and nothing is pruned
	RollBack      OnFailure = "rollback" // what was last healthy is applied again
)
