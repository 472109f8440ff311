package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/open-policy-agent/opa/v1/util"
	"go.yaml.in/yaml/v3"
)

// ours are the keys of data that no file of a source may set: Mooring says there what it knows of the run.
var ours = []string{"mooring", "conftest"}

// merge reads data files and puts them together at the root. A key that two files give different meanings is a problem,
// and so is a key that is Mooring's.
func (s Source) merge(files []text) (map[string]any, []Problem) {
	data := map[string]any{}
	var problems []Problem
	for _, f := range files {
		fail := func(err error) {
			problems = append(problems, Problem{
				Source: s.Name, File: s.place(f.name), Message: err.Error(),
				Remedy: "Every .json and .yaml file beside policies is data for them. What is not belongs into a directory testdata.",
			})
		}
		object, err := decode(f)
		if err != nil {
			fail(err)
			continue
		}
		for _, key := range ours {
			if _, taken := object[key]; taken {
				fail(fmt.Errorf("data.%s is what Mooring says of the run; a file may not set it", key))
				delete(object, key)
			}
		}
		if at := join(data, object, ""); at != "" {
			fail(fmt.Errorf("data.%s is set by another file already", at))
		}
	}
	settings, err := plain(s.Settings)
	if err != nil {
		return nil, append(problems, Problem{Source: s.Name, Message: "settings: " + err.Error()})
	}
	if len(settings) > 0 {
		under, _ := data["settings"].(map[string]any)
		data["settings"] = overlay(under, settings)
	}
	return data, problems
}

// decode reads one file: one object.
func decode(f text) (map[string]any, error) {
	var value any
	var err error
	if path.Ext(f.name) == ".json" {
		value, err = decodeJSON(f.body)
	} else if err = single(f.body); err == nil {
		err = util.Unmarshal(f.body, &value) // OPA's own: which words are booleans is a matter of taste in YAML
	}
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("data has to be an object at its top")
	}
	return object, nil
}

// single refuses what would be lost of a YAML file: a second document, a key that is there twice.
func single(body []byte) error {
	d := yaml.NewDecoder(bytes.NewReader(body))
	for n := 0; ; n++ {
		var doc yaml.Node
		switch err := d.Decode(&doc); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case n > 0:
			return errors.New("only one YAML document is read of a data file, and it has more")
		}
		var value any
		if err := doc.Decode(&value); err != nil {
			return err
		}
	}
}

// decodeJSON reads one JSON value, with numbers as they are written, and nothing after it.
func decodeJSON(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		if line := lineOf(body, err); line > 0 {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("there is something after the JSON value")
	}
	return value, nil
}

// lineOf finds where a JSON text is wrong; 0 where that is not known.
func lineOf(body []byte, err error) int {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset < 0 || int(syntax.Offset) > len(body) {
		return 0
	}
	return 1 + bytes.Count(body[:syntax.Offset], []byte("\n"))
}

// join puts the members of b into a, objects into objects. It returns the path of the first member that is there
// already, or "".
func join(a, b map[string]any, at string) string {
	for _, key := range sorted(b) {
		here := key
		if at != "" {
			here = at + "." + key
		}
		old, there := a[key]
		if !there {
			a[key] = b[key]
			continue
		}
		into, ok1 := old.(map[string]any)
		from, ok2 := b[key].(map[string]any)
		if !ok1 || !ok2 {
			return here
		}
		if conflict := join(into, from, here); conflict != "" {
			return conflict
		}
	}
	return ""
}

// overlay is a with the members of b over it, objects into objects.
func overlay(a, b map[string]any) map[string]any {
	all := make(map[string]any, len(a)+len(b))
	for key, value := range a {
		all[key] = value
	}
	for key, value := range b {
		into, ok1 := all[key].(map[string]any)
		from, ok2 := value.(map[string]any)
		if ok1 && ok2 {
			value = overlay(into, from)
		}
		all[key] = value
	}
	return all
}

// plain makes JSON's types of what Go code put into settings.
func plain(value map[string]any) (map[string]any, error) {
	if value == nil {
		return nil, nil
	}
	body, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	decoded, err := decodeJSON(body)
	object, _ := decoded.(map[string]any)
	return object, err
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
