package policies

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Effect is what a finding does. The zero value denies.
type Effect string

// The effects, from the hardest to the softest.
const (
	Deny Effect = "deny" // it does not happen, whoever says yes
	Ask  Effect = "ask"  // it waits for the people that it names
	Warn Effect = "warn" // it is said
)

func (e Effect) rank() int {
	switch e {
	case Warn:
		return 2
	case Ask:
		return 1
	}
	return 0
}

// Need is whom a finding asks for: a number of people out of a group.
type Need struct {
	Who   string `json:"who"`   // "team:NAME", "user:LOGIN", or "anyone" with write access
	Count int    `json:"count"` // at least 1
}

func (n Need) String() string {
	if n.Count == 1 {
		return n.Who
	}
	return fmt.Sprintf("%d of %s", n.Count, n.Who)
}

// Finding is one word of one rule.
type Finding struct {
	Effect  Effect         `json:"effect"`
	Rule    string         `json:"rule"` // such as "main.deny_tags", or "preflight.provider"
	Message string         `json:"message"`
	Subject string         `json:"subject,omitempty"` // the address of a resource, or the reference of an object
	File    string         `json:"file,omitempty"`    // where the cause is: a file of the repository, or of the policy that failed
	Line    int            `json:"line,omitempty"`    // in File, from 1; 0 where it is not known
	Remedy  string         `json:"remedy,omitempty"`  // what to do about it
	Needs   []Need         `json:"needs,omitempty"`   // of an Ask: all of them have to be met
	Details map[string]any `json:"details,omitempty"` // what the rule said beside the message
	Policy  string         `json:"policy,omitempty"`  // where the rule came from: the name of its source
}

// Place is where the cause of a finding is, or "".
func (f Finding) Place() string {
	if f.File == "" || f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

// Verdict is what all rules said of one thing. The zero value is of no rules: whether
// that may be is for those to say who ask.
type Verdict struct {
	Digest   string    `json:"digest"`             // of all that decided: rules, data and settings
	Rules    int       `json:"rules"`              // how many were asked
	Findings []Finding `json:"findings"`           // denies first, then asks, then warnings
	Excepted []Finding `json:"excepted,omitempty"` // what an exception of the policy's own let pass
}

// Denied tells whether it must not happen.
func (v Verdict) Denied() bool {
	return slices.ContainsFunc(v.Findings, func(f Finding) bool { return f.Effect.rank() == 0 })
}

// Needs are the people that are asked for, each group once with its largest number.
func (v Verdict) Needs() []Need {
	most := map[string]int{}
	for _, f := range v.Findings {
		if f.Effect != Ask {
			continue
		}
		needs := f.Needs
		if len(needs) == 0 { // whom, it does not say: somebody
			needs = []Need{{Who: "anyone", Count: 1}}
		}
		for _, n := range needs {
			most[n.Who] = max(most[n.Who], n.Count, 1)
		}
	}
	var all []Need
	for who, count := range most {
		all = append(all, Need{Who: who, Count: count})
	}
	slices.SortFunc(all, func(a, b Need) int { return strings.Compare(a.Who, b.Who) })
	return all
}

// Sort puts findings in the order in which they are shown.
func Sort(all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Effect.rank(), b.Effect.rank()), strings.Compare(a.Subject, b.Subject),
			strings.Compare(a.Rule, b.Rule), strings.Compare(a.Message, b.Message))
	})
}

// Bounded is the verdict with at most so many findings, each with so many bytes of message:
// what is recorded and shown of rules that say much. It denies and asks as the whole does.
func (v Verdict) Bounded(most, longest int) Verdict {
	if len(v.Findings) > most {
		rest := Verdict{Findings: v.Findings[most:]}
		last := Finding{Effect: Warn, Rule: "more", Message: fmt.Sprintf("and %d findings more", len(rest.Findings))}
		switch needs := rest.Needs(); {
		case rest.Denied():
			last.Effect = Deny
		case len(needs) > 0:
			last.Effect, last.Needs = Ask, needs
		}
		v.Findings = append(slices.Clone(v.Findings[:most]), last)
	} else {
		v.Findings = slices.Clone(v.Findings)
	}
	v.Excepted = slices.Clone(v.Excepted[:min(len(v.Excepted), most)])
	for _, all := range [][]Finding{v.Findings, v.Excepted} {
		for i := range all {
			all[i].Message, all[i].Remedy = cut(all[i].Message, longest), cut(all[i].Remedy, longest)
		}
	}
	return v
}

func cut(s string, longest int) string {
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "…"
}
