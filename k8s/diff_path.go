package k8s

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// step is one step of a path: into a field, or to an item of a list.
type step struct {
	field string
	item  string // "name=web"; the field is not set then
}

// keyCandidates are what may tell the items of a list apart, the best first. They are the merge keys of the
// built-in kinds and what custom resources commonly use; the values decide whether one fits, since a list that is
// merged by the server is not always one that people read by the same key.
var keyCandidates = [][]string{
	{"name"}, {"kind", "name"}, {"kind", "name", "namespace"}, {"containerPort"}, {"containerPort", "protocol"}, {"port"}, {"port", "protocol"},
	{"mountPath"}, {"devicePath"}, {"key"}, {"topologyKey"}, {"ip"}, {"host"}, {"path"}, {"uid"}, {"type"}, {"id"},
}

// mergeKey finds what tells apart the items of both lists; nil when nothing does.
func mergeKey(lists ...[]any) []string {
	i := slices.IndexFunc(keyCandidates, func(key []string) bool {
		return !slices.ContainsFunc(lists, func(list []any) bool { return !tellsApart(key, list) })
	})
	if i < 0 || !slices.ContainsFunc(lists, func(list []any) bool { return len(list) > 0 }) {
		return nil
	}
	return keyCandidates[i]
}

func tellsApart(key []string, list []any) bool {
	seen := make(map[string]bool, len(list))
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			return false
		}
		for _, k := range key {
			switch v := m[k].(type) {
			case string:
				if v == "" {
					return false
				}
			case int64:
			default:
				return false
			}
		}
		s := itemStep(key, item).item
		if seen[s] {
			return false
		}
		seen[s] = true
	}
	return true
}

// itemStep names one item of a list.
func itemStep(key []string, item any) step {
	m, _ := item.(map[string]any)
	parts := make([]string, len(key))
	for i, k := range key {
		text := fmt.Sprint(m[k])
		if s, ok := m[k].(string); ok && !plainItem.MatchString(s) {
			text = quoted(s)
		}
		parts[i] = k + "=" + text
	}
	return step{item: strings.Join(parts, ",")}
}

func keyed(key []string, list []any) map[string]any {
	m := make(map[string]any, len(list))
	for _, item := range list {
		m[itemStep(key, item).item] = item
	}
	return m
}

var (
	plainField = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$-]*$`)
	// A number in quotes is text: "1" and 1 are two items.
	plainItem = regexp.MustCompile(`^[A-Za-z_/.*][A-Za-z0-9_/.*:-]*$`)
)

// pathText prints a path: spec.ports[port=80].name, data["a.conf"].
func pathText(at []step) string {
	var b strings.Builder
	for _, s := range at {
		b.WriteString(stepText(s, b.Len() == 0))
	}
	return b.String()
}

func stepText(s step, first bool) string {
	switch {
	case s.item != "":
		return "[" + s.item + "]"
	case !plainField.MatchString(s.field):
		return "[" + quoted(s.field) + "]"
	case first:
		return s.field
	}
	return "." + s.field
}

// quoted is a string in double quotes, as JSON and YAML read it.
func quoted(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(s) != nil {
		return strconv.Quote(s)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func keysOfAll(ms ...map[string]any) []string {
	all := map[string]bool{}
	for _, m := range ms {
		for k := range m {
			all[k] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
