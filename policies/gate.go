package policies

import (
	"fmt"

	tfjson "github.com/hashicorp/terraform-json"
)

// Level is how much may be applied without a person. The zero value is not a
// level and lets nothing through.
type Level string

// The levels, from the tightest to the loosest.
const (
	Never     Level = "never"      // every change waits
	NoDestroy Level = "no_destroy" // what would destroy or replace waits
	Always    Level = "always"     // nothing waits
)

func (l Level) rank() int {
	switch l {
	case Always:
		return 2
	case NoDestroy:
		return 1
	}
	return 0
}

// ParseLevel reads a level as a configuration file spells it.
func ParseLevel(s string) (Level, error) {
	switch l := Level(s); l {
	case Never, NoDestroy, Always:
		return l, nil
	}
	return Never, fmt.Errorf("auto_apply is %q: use %q, %q or %q", s, Always, NoDestroy, Never)
}

// Within returns the asked level, or the ceiling where the asked one is looser;
// then lowered is true. An empty asked level is the ceiling.
func Within(ceiling, asked Level) (level Level, lowered bool) {
	if asked == "" || asked.rank() == ceiling.rank() {
		return ceiling, false
	}
	if asked.rank() > ceiling.rank() {
		return ceiling, true
	}
	return asked, false
}

// Decision is what is to happen with a plan. The zero value does not allow it.
type Decision struct {
	Allowed bool
	Reasons []string // why a person is needed, destroys first; empty when allowed
}

// Summary counts what a plan would do to managed resources. A replacement
// counts once under Add, once under Destroy and once under Replace, as
// Terraform's own summary line counts it.
type Summary struct {
	Add, Change, Destroy int
	Replace              int
	Forget               int
	Other                int // actions that this Mooring does not know
}

// Summarize counts the resource changes of a plan; a nil plan has none.
func Summarize(plan *tfjson.Plan) Summary {
	var s Summary
	if plan == nil {
		return s
	}
	for _, rc := range plan.ResourceChanges {
		if rc.Change == nil || rc.Mode != tfjson.ManagedResourceMode {
			continue
		}
		a := rc.Change.Actions
		switch {
		case a.Replace():
			s.Add++
			s.Destroy++
			s.Replace++
		case a.Create():
			s.Add++
		case a.Update():
			s.Change++
		case a.Delete():
			s.Destroy++
		case a.Forget():
			s.Forget++
		case !a.NoOp() && !a.Read():
			s.Other++
		}
	}
	return s
}

// Gate decides whether the plan may be applied without a person at the level.
// The plan must not be nil: a plan that cannot be read is not a plan of nothing.
func Gate(level Level, plan *tfjson.Plan) Decision {
	if plan == nil {
		return Decision{Reasons: []string{"the plan could not be read"}}
	}
	s := Summarize(plan)
	switch level {
	case Always:
		return Decision{Allowed: true}
	case NoDestroy:
		var reasons []string
		if n := s.Destroy - s.Replace; n > 0 {
			reasons = append(reasons, fmt.Sprintf("destroys %d", n))
		}
		if s.Replace > 0 {
			reasons = append(reasons, fmt.Sprintf("replaces %d", s.Replace))
		}
		if s.Forget > 0 {
			reasons = append(reasons, fmt.Sprintf("forgets %d", s.Forget))
		}
		if s.Other > 0 {
			reasons = append(reasons, fmt.Sprintf("changes %d in a way that this Mooring does not know", s.Other))
		}
		return Decision{Allowed: len(reasons) == 0, Reasons: reasons}
	}
	return Decision{Reasons: []string{"auto_apply is never"}}
}
