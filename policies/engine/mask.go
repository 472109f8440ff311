package engine

import "strings"

// Sensitive is what stands in the place of a value that Terraform marked, or of a Secret's.
const Sensitive = "(sensitive)"

// marks says where, beside a value, its marks are: in a change, in values of a state, in an action.
var marks = map[string]string{
	"before": "before_sensitive",
	"after":  "after_sensitive",
	"values": "sensitive_values",

	"config_values": "config_sensitive",
}

// masker takes sensitive values out of a plan, and remembers the texts among them: what is written out in the
// configuration has no mark there.
type masker struct {
	secrets map[string]bool
	inside  *strings.Replacer // finds long secrets in a text
	looked  int               // how many secrets there were when it was made
}

// sweep masks values in place wherever something beside them marks them.
func (m *masker) sweep(value any) {
	switch v := value.(type) {
	case []any:
		for _, member := range v {
			m.sweep(member)
		}
	case map[string]any:
		if v["sensitive"] == true { // an output
			if inner, ok := v["value"]; ok {
				v["value"] = m.secret(inner)
			}
		}
		for key, member := range v {
			if beside, ok := marks[key]; ok {
				if marked, ok := v[beside]; ok {
					v[key] = m.mask(member, marked)
					continue
				}
			}
			m.sweep(member)
		}
	}
}

// mask masks what is marked: all of it with true, or parts of it with an object or a list of the same shape. Marks that
// do not fit mask all.
func (m *masker) mask(value, marked any) any {
	switch mark := marked.(type) {
	case nil:
		return value
	case bool:
		if mark {
			return m.secret(value)
		}
		return value
	case map[string]any:
		v, ok := value.(map[string]any)
		if !ok {
			return m.unfit(value, marked)
		}
		for key, inner := range mark {
			if member, ok := v[key]; ok {
				v[key] = m.mask(member, inner)
			}
		}
		return v
	case []any:
		v, ok := value.([]any)
		if !ok || len(mark) > len(v) {
			return m.unfit(value, marked)
		}
		for i, inner := range mark {
			v[i] = m.mask(v[i], inner)
		}
		return v
	}
	return m.secret(value)
}

func (m *masker) unfit(value, marked any) any {
	if marksAny(marked) {
		return m.secret(value)
	}
	return value
}

// marksAny tells whether marks mark anything.
func marksAny(marked any) bool {
	switch mark := marked.(type) {
	case map[string]any:
		for _, inner := range mark {
			if marksAny(inner) {
				return true
			}
		}
		return false
	case []any:
		for _, inner := range mark {
			if marksAny(inner) {
				return true
			}
		}
		return false
	case bool:
		return mark
	}
	return marked != nil
}

// secret remembers a value and gives what stands in its place. That there is none is no secret.
func (m *masker) secret(value any) any {
	if value == nil {
		return nil
	}
	m.remember(value)
	return Sensitive
}

func (m *masker) remember(value any) {
	switch v := value.(type) {
	case string:
		if v != "" && v != Sensitive {
			m.secrets[v] = true
		}
	case []any:
		for _, member := range v {
			m.remember(member)
		}
	case map[string]any:
		for _, member := range v {
			m.remember(member)
		}
	}
}

// long is from when on a secret is looked for inside other texts.
const long = 8

// known tells whether a text is a secret, or has one in it.
func (m *masker) known(s string) bool {
	if m.secrets[s] {
		return true
	}
	if m.inside == nil || m.looked != len(m.secrets) {
		var pairs []string
		for secret := range m.secrets {
			if len(secret) >= long {
				pairs = append(pairs, secret, "")
			}
		}
		m.inside, m.looked = strings.NewReplacer(pairs...), len(m.secrets)
	}
	return m.inside.Replace(s) != s
}

// literals masks secrets where they are written out in a value.
func (m *masker) literals(value any) any {
	switch v := value.(type) {
	case string:
		if m.known(v) {
			return Sensitive
		}
	case []any:
		for i, member := range v {
			v[i] = m.literals(member)
		}
	case map[string]any:
		for key, member := range v {
			v[key] = m.literals(member)
		}
	}
	return value
}
