package pack

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/policies"
)

// Tuning is what a server sets for one rule. The zero value leaves it as it is.
type Tuning struct {
	Effect   policies.Effect // deny, ask, warn or off; "" for the usual one
	Settings map[string]any  // by name: strings, booleans, numbers and lists of those
}

// Settings checks the tuning of rules by their IDs and returns it as the rules read it, at data.settings. An error names
// the rule and the setting.
func Settings(tuned map[string]Tuning) (map[string]any, error) {
	rules, common := Rules(), Common()
	all := map[string]any{}
	for _, id := range slices.Sorted(maps.Keys(tuned)) {
		i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("the pack has no rule %q; it has %s", id, strings.Join(ids(rules), ", "))
		}
		t := tuned[id]
		set := map[string]any{}
		if t.Effect != "" {
			if !slices.Contains([]policies.Effect{policies.Deny, policies.Ask, policies.Warn, Off}, t.Effect) {
				return nil, fmt.Errorf("rule %q: its effect is %q: use deny, ask, warn or off", id, t.Effect)
			}
			set["effect"] = string(t.Effect)
		}
		known := slices.Concat(rules[i].Settings, common)
		for _, name := range slices.Sorted(maps.Keys(t.Settings)) {
			j := slices.IndexFunc(known, func(s Setting) bool { return s.Name == name })
			if j < 0 {
				return nil, fmt.Errorf("rule %q has no setting %q", id, name)
			}
			value := number(t.Settings[name])
			if err := known[j].check(value); err != nil {
				return nil, fmt.Errorf("rule %q: %s %w", id, name, err)
			}
			set[name] = value
		}
		all[id] = set
	}
	return all, nil
}

// check tells whether the value may stand for the setting. The rules check it, too, for those who tune them otherwise.
func (s Setting) check(value any) error {
	want := typeName(s.Default)
	if typeName(value) != want {
		return fmt.Errorf("has to be a %s", want)
	}
	switch v := value.(type) {
	case []any:
		for _, one := range v {
			if typeName(one) != s.Of {
				return fmt.Errorf("has to be a list of %ss", s.Of)
			}
		}
	case string:
		if (s.Name == "unknown" || s.Name == "unset") && !slices.Contains([]string{"same", "deny", "ask", "warn", "off"}, v) {
			return fmt.Errorf("is %q: use same, deny, ask, warn or off", v)
		}
	case float64:
		if s.Name == "approvals" && v < 1 {
			return fmt.Errorf("has to be at least 1")
		}
	}
	return nil
}

// number makes all numbers of a value alike, whatever reader they come from.
func number(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return v
		}
		return f
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return list
	case []any:
		list := make([]any, len(v))
		for i, one := range v {
			list[i] = number(one)
		}
		return list
	}
	return v
}

// typeName is what Rego calls the type of a value.
func typeName(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case []any:
		return "array"
	}
	return fmt.Sprintf("%T", v)
}

func ids(rules []Rule) []string {
	var all []string
	for _, r := range rules {
		all = append(all, r.ID)
	}
	return all
}
