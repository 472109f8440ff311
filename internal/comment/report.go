package comment

// Report is everything that one comment says of one pull request. It is rendered
// by Render. Texts must come with their secrets taken out.
type Report struct {
	Marker  string // hidden in the comment, so that it is found again: one line, no spaces
	Title   string // one line: "Plan of 4f2a91c", "Applied 4f2a91c"; "" is made from the units
	Head    string // commit that was planned
	Base    string // commit it would be merged into
	Run     string // r12
	URL     string // page of the run with the full text; "" where Mooring serves none
	Seconds float64

	Failed string   // why there is no plan at all; "" where there is one
	Notes  []string // what a person should know of the run
	Waits  []string // what waits, and why
	Next   []Next   // what to type next
	Units  []Unit
}

// Next is a command that somebody may type, and what it does.
type Next struct{ Command, Does string }

// Unit is one row of the summary and one folded section.
type Unit struct {
	ID     string
	Kind   string // workspace or manifests
	Status string // a status of the contract: planned, unchanged, failed, deferred, …
	Reason string // why it is held, deferred or skipped
	Error  string
	Policy string // what policies and the gate say, in a few words; "" where none was asked, or all is well
	Denied bool   // policies forbid it
	Rules  []Rule // what each rule says, the worst first
	Notes  []string

	Add, Change, Destroy int  // of manifests: created, configured (and recreated), pruned
	Removal              bool // the branch would no longer have it

	// Difference is how a plan made now differs from the one that was reviewed, as
	// Between makes it. It is shown open.
	Difference string

	Diff    string // readable form of what would change, as Diff makes it
	Text    string // Terraform's own text
	Objects []Object
	URL     string // page with the full text
	Seconds float64
}

// Object is one Kubernetes object that would change.
type Object struct {
	Ref    string // apps/v1 Deployment web/api
	Action string
	Diff   string // unified, without values of Secrets
	Note   string
}

// Rule is one word of one policy.
type Rule struct {
	Effect string // deny, ask or warn
	Text   string
}
