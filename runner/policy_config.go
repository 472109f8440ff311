package runner

import (
	"time"

	"github.com/mooring-iac/mooring/policies/preflight"
)

// PolicyConfig is a set of rules that the operator keeps beside the server: a directory,
// or a signed bundle.
type PolicyConfig struct {
	Name         string
	Dir          string        // absolute; "" with a bundle
	Bundle       *BundleConfig // nil with a directory
	Namespaces   []string      // none is "main", "*" is all
	V0           bool          // the syntax of Rego before 1.0
	Required     bool          // where it has no rule, nothing passes
	Repositories []string      // that it judges; none is all
}

// BundleConfig is where a signed OPA bundle comes from, and whose signature it needs.
type BundleConfig struct {
	URL        string        // https, or an absolute path of a file
	Keys       []string      // PEM; one of them has to have signed it
	Algorithm  string        // of the signature, as OPA spells it; "" goes by the key
	Scope      string        // that the signature has to name; "" is none
	MaxAge     time.Duration // how long the last good one is used where no newer one can be had; 0 is not at all
	AllowOlder bool          // one that was used before the last one, or was signed before it, is used again
	Token      string        // "" is none
	CABundle   []byte
}

// PackConfig says which of the rules that come with Mooring are asked. The zero value
// asks none: auto_apply is the gate then.
type PackConfig struct {
	Enabled      bool
	Settings     map[string]map[string]any // by rule: effect, and what else it is tuned by
	Repositories []string                  // that it judges; none is all
}

// RepositoryPolicies say what is asked of a repository's changes. In the zero value a
// pull request that adds what could read or run something waits for somebody's yes.
type RepositoryPolicies struct {
	Dir          string // in the repository, as the branch has it; "" is "policy"
	Namespaces   []string
	V0           bool
	Required     bool
	Preflight    preflight.Rules
	SelfApproval bool // an author's own yes counts
}
