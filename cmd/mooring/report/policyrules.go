package report

import "io"

// RuleList is the rules that ship with Mooring.
type RuleList struct {
	Rules []Rule `json:"rules"`
}

// Rule is one of them.
type Rule struct {
	ID          string    `json:"id"`
	Kind        string    `json:"kind"`
	Effect      string    `json:"effect"` // where the server sets none
	Title       string    `json:"title"`
	Description string    `json:"description"`
	Remedy      string    `json:"remedy,omitempty"`
	Settings    []Setting `json:"settings"`
}

// Setting is what a rule is tuned by.
type Setting struct {
	Name    string `json:"name"`
	Default any    `json:"default"`
	Help    string `json:"help,omitempty"`
}

// RuleTable prints one line a rule.
func RuleTable(w io.Writer, rules []Rule, s Style) error {
	t := table{head: []string{"RULE", "EFFECT", "TITLE"}}
	for _, r := range rules {
		t.rows = append(t.rows, row{paint: -1, cells: []string{r.ID, r.Effect, CleanLine(r.Title)}})
	}
	return t.write(w, s)
}
