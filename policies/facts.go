package policies

import "time"

// Facts are what a rule may know of a run beside the plan or the manifests: data.mooring
// in Rego. What is not known is empty.
type Facts struct {
	Repository  string     `json:"repository"`
	Unit        string     `json:"unit"`
	Kind        string     `json:"kind"`      // "workspace" or "manifests"
	Dir         string     `json:"dir"`       // of the root module, or the path of the set
	Workspace   string     `json:"workspace"` // Terraform's
	Cluster     string     `json:"cluster"`   // of a set
	Trigger     string     `json:"trigger"`   // as in a run
	Branch      string     `json:"branch"`    // that is followed, and that a pull request goes into
	Head        string     `json:"head"`      // the branch of a pull request
	Commit      string     `json:"commit"`
	PullRequest int        `json:"pull_request"` // 0 where there is none
	Author      string     `json:"author"`
	Changed     []string   `json:"changed"` // the files that differ from the branch, or from the unit's last converged commit
	Approvals   []Approval `json:"approvals"`
	Drift       *Drift     `json:"drift"` // what the last drift scan found; null where nothing
	Removal     bool       `json:"removal"`
}

// Approval is a yes that counts for what is judged.
type Approval struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Drift is what was found of a unit before.
type Drift struct {
	Since time.Time `json:"since"`
	Count int       `json:"count"` // of resources or objects
}
