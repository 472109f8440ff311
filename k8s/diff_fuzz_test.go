package k8s

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// apply does what the changes of a diff say, in their order.
func apply(root any, changes []FieldChange) any {
	for _, c := range changes {
		root = applyAt(root, c.steps, c)
	}
	return root
}

func applyAt(v any, steps []step, c FieldChange) any {
	if len(steps) == 0 {
		if c.Op != FieldReorder {
			return c.New
		}
		list, order := v.([]any), c.New.([]string)
		out := make([]any, len(list))
		for _, item := range list {
			out[slices.IndexFunc(order, func(name string) bool { return names(item, name) })] = item
		}
		return out
	}
	s, last := steps[0], len(steps) == 1
	if s.item == "" {
		m := map[string]any{}
		for k, v := range v.(map[string]any) {
			m[k] = v
		}
		if last && c.Op == FieldRemove {
			delete(m, s.field)
		} else {
			m[s.field] = applyAt(m[s.field], steps[1:], c)
		}
		return m
	}
	list := slices.Clone(v.([]any))
	i := slices.IndexFunc(list, func(item any) bool { return names(item, s.item) })
	switch {
	case last && c.Op == FieldAdd:
		return slices.Insert(list, c.At, c.New)
	case last && c.Op == FieldRemove:
		return slices.Delete(list, i, i+1)
	}
	list[i] = applyAt(list[i], steps[1:], c)
	return list
}

// names tells whether the item has the name that a path gives it: any key that makes the same name will do.
func names(item any, name string) bool {
	return slices.ContainsFunc(keyCandidates, func(key []string) bool {
		return tellsApart(key, []any{item}) && itemStep(key, item).item == name
	})
}

// dice makes values of a seed.
type dice struct{ *rand.Rand }

func (d dice) text() string {
	words := []string{"", "a", "b", "web", "yes", "1", "null", "~", "a: b", "# c", "- x", "x\ny", "x\ny\n", " x\n\ny \n", "\tq\nr", "\n\n", "tab\there", "ünï", "a\x1b[31m",
		"|", "{}", "[", "'", "\"", "\\", "trail \nb", "a\r\nb", "@@ x @@", "-", "+", "\u2028", "1e3", "0x1f", "2026-01-01", "  \n x", "x\n \ny"}
	return words[d.IntN(len(words))]
}

func (d dice) value(depth int) any {
	switch n := d.IntN(10); {
	case n < 3 && depth > 0:
		m := map[string]any{}
		for range d.IntN(4) {
			m[d.text()] = d.value(depth - 1)
		}
		return m
	case n < 5 && depth > 0:
		list := []any{}
		for range d.IntN(4) {
			list = append(list, d.value(depth-1))
		}
		return list
	case n < 7 && depth > 0:
		list := []any{}
		for range d.IntN(4) {
			list = append(list, map[string]any{"name": d.text(), "port": int64(d.IntN(3)), "v": d.value(depth - 1)})
		}
		return list
	case n == 7:
		return int64(d.IntN(5)) - 2
	case n == 8:
		return []any{true, false, nil, 1.5, -0.25, 1e21}[d.IntN(6)]
	}
	return d.text()
}

// mutated is v with some of it changed.
func (d dice) mutated(v any, depth int) any {
	if d.IntN(6) == 0 {
		return d.value(depth)
	}
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, item := range v {
			if d.IntN(8) > 0 {
				m[k] = d.mutated(item, depth-1)
			}
		}
		if d.IntN(4) == 0 {
			m[d.text()] = d.value(depth)
		}
		return m
	case []any:
		list := []any{}
		for _, item := range v {
			if d.IntN(8) > 0 {
				list = append(list, d.mutated(item, depth-1))
			}
		}
		if d.IntN(4) == 0 {
			d.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
		return list
	}
	return v
}

func FuzzDiff(f *testing.F) {
	for seed := range uint64(64) {
		f.Add(seed, seed*7)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		d := dice{rand.New(rand.NewPCG(a, b))}
		old := map[string]any{"apiVersion": "x/v1", "kind": "X", "spec": d.value(4), "data": d.value(2)}
		new, _ := d.mutated(old, 4).(map[string]any)
		if new == nil {
			new = map[string]any{"spec": d.value(4)}
		}
		delete(new, "status")
		delete(new, "metadata")
		new["kind"] = "X" // no object is empty
		before, _ := json.Marshal([]any{old, new})
		diff := diffObjects(old, new, false)
		if after, _ := json.Marshal([]any{old, new}); string(after) != string(before) {
			t.Fatal("the objects were written to")
		}
		if got := apply(old, diff.Changes); !reflect.DeepEqual(got, any(new)) {
			t.Fatalf("the changes make\n%#v\nof\n%#v\nwhich should be\n%#v\n%s", got, old, new, shortChanges(diff))
		}
		if (len(diff.Changes) == 0) != (diff.Text == "") {
			t.Fatalf("%d changes, and this text:\n%s", len(diff.Changes), diff.Text)
		}
		if again := diffObjects(old, new, false); !reflect.DeepEqual(diff, again) {
			t.Fatal("not the same twice")
		}
		patches(t, old, new, diff.Text)
		readsBack(t, new)
		secretsStay(t, d)
	})
}

// patches checks that the text takes away and adds exactly what makes the new lines of the old ones.
func patches(t *testing.T, old, new map[string]any, text string) {
	t.Helper()
	count := map[string]int{}
	for _, line := range printYAML(new).lines {
		count[line]++
	}
	for _, line := range printYAML(old).lines {
		count[line]--
	}
	for line := range strings.Lines(text) {
		switch line = strings.TrimSuffix(line, "\n"); line[0] {
		case '+':
			count[line[1:]]--
		case '-':
			count[line[1:]]++
		}
	}
	for line, n := range count {
		if n != 0 {
			t.Fatalf("%q is %d times too many or too few in\n%s", line, n, text)
		}
	}
}

// readsBack checks that what is printed is YAML of the same values.
func readsBack(t *testing.T, o map[string]any) {
	t.Helper()
	text := strings.Join(printYAML(o).lines, "\n") + "\n"
	var back map[string]any
	if err := yaml.Unmarshal([]byte(text), &back); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	want, _ := json.Marshal(o)
	got, err := json.Marshal(back)
	if err != nil || string(got) != string(want) {
		t.Fatalf("reads back as (%v)\n%s\nnot\n%s\nfrom\n%s", err, got, want, text)
	}
}

// secretsStay checks that no value of a Secret gets into its diff.
func secretsStay(t *testing.T, d dice) {
	t.Helper()
	var values []string
	secret := func() map[string]any {
		data, plain, notes := map[string]any{}, map[string]any{}, map[string]any{}
		for i := range d.IntN(5) {
			v := fmt.Sprintf("zq%dqz%d", d.IntN(4), i)
			encoded := base64.StdEncoding.EncodeToString([]byte(v))
			values = append(values, v, encoded)
			data[fmt.Sprint("k", d.IntN(4))] = encoded
			plain[fmt.Sprint("p", d.IntN(4))] = v
			notes[lastApplied] = `{"data":{"k":"` + encoded + `"}}`
			notes[fmt.Sprint("n", d.IntN(3))] = v + d.text()
		}
		s := map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "s", "annotations": notes}, "data": data, "stringData": plain}
		if d.IntN(8) == 0 {
			s["data"] = fmt.Sprint(values)
		}
		return s
	}
	old, new := secret(), secret()
	if d.IntN(4) == 0 {
		old = nil
	}
	diff := diffObjects(old, new, false)
	all, _ := json.Marshal(diff)
	for _, v := range values {
		if strings.Contains(string(all), v) || strings.Contains(diff.Text, v) {
			t.Fatalf("%q shows in\n%s\n%s", v, diff.Text, all)
		}
	}
}
