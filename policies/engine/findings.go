package engine

import (
	"encoding/json"
	"fmt"

	"github.com/mooring-iac/mooring/policies"
)

// resultError is a rule that said what is not a finding.
type resultError struct{ message string }

func (e *resultError) Error() string { return e.message }

// findings reads the value of a rule: a set or an array of messages, and of objects that have one in msg.
func (r rule) findings(values []any, t task) ([]policies.Finding, error) {
	var all []policies.Finding
	for _, value := range values {
		members, ok := value.([]any)
		if !ok {
			return all, &resultError{fmt.Sprintf("is %s: it has to be a set of messages, as in: %s contains msg if { … }", kindOf(value), r.name)}
		}
		for _, m := range members {
			f, err := r.finding(m)
			if err != nil {
				return all, err
			}
			f.Policy = t.source.source.Name
			if f.Subject == "" {
				f.Subject = t.subject
			}
			all = append(all, f)
		}
	}
	return all, nil
}

// finding reads one member. What is not Mooring's in an object is kept in Details.
func (r rule) finding(member any) (policies.Finding, error) {
	f := policies.Finding{Effect: r.effect, Rule: r.String()}
	switch m := member.(type) {
	case string:
		f.Message = m
	case map[string]any:
		msg, ok := m["msg"].(string)
		if !ok {
			return f, &resultError{"said an object without msg, or whose msg is not a text"}
		}
		f.Message = msg
		for key, value := range m {
			if err := put(&f, key, value); err != nil {
				return f, err
			}
		}
	default:
		return f, &resultError{fmt.Sprintf("has %s among its messages: each has to be a text, or an object with msg", kindOf(member))}
	}
	if f.Message == "" {
		// Conftest takes an empty message for a rule that passed. Here a rule that spoke has spoken.
		f.Message = "(the rule says no more than this)"
	}
	return f, nil
}

// put puts a member of a rule's object where it belongs.
func put(f *policies.Finding, key string, value any) error {
	said, isText := value.(string)
	switch {
	case key == "msg":
	case key == "needs" && f.Effect == policies.Ask:
		needs, err := needsOf(value)
		if err != nil {
			return &resultError{"asks wrongly: " + err.Error()}
		}
		f.Needs = needs
	case key == "subject" && isText:
		f.Subject = said
	case key == "remedy" && isText:
		f.Remedy = said
	case key == "rule" && isText && said != "":
		f.Rule = said
	case key == "_loc":
		place, _ := value.(map[string]any)
		f.File, _ = place["file"].(string)
		if line, ok := place["line"].(json.Number); ok {
			if n, err := line.Int64(); err == nil && n > 0 {
				f.Line = int(n)
			}
		}
	default:
		if f.Details == nil {
			f.Details = map[string]any{}
		}
		f.Details[key] = value
	}
	return nil
}

// kindOf names the type of a value of JSON.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number, float64, int:
		return "a number"
	case string:
		return "a text"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("a %T", value)
}
