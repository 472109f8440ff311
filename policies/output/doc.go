// Package output writes verdicts for other programs: SARIF 2.1.0, which code hosts show beside the lines of a change, and
// JUnit, which build servers show as tests. The same verdicts give the same bytes.
package output

import "github.com/mooring-iac/mooring/policies"

// Result is the verdict on one unit.
type Result struct {
	Unit    string
	Verdict policies.Verdict
}
