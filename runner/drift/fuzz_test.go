package drift

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	tfjson "github.com/hashicorp/terraform-json"
)

const secretWord = "\u2620told"

// FuzzNoPlanPanicsOrTells classifies any JSON that is a plan. Each value that is marked sensitive is first replaced by a
// word, which then must be nowhere in what is found.
func FuzzNoPlanPanicsOrTells(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "plans", "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, true, false)
		f.Add(raw, false, true)
	}
	f.Add([]byte(`{"format_version":"1.2","resource_drift":[null,{"address":"a.b","change":{"actions":["update"],"before":[1],"after":"x","before_sensitive":"y"}}],
		"resource_changes":[null,{"address":"a.b","index":{},"change":{"actions":[],"before":{"a":[{}]},"after":null,"after_unknown":[true]}}],
		"relevant_attributes":[{"resource":"a.b","attribute":[{},null,1.5,"x"]}],"output_changes":{"o":null,"p":{"actions":["x"]}},"configuration":{"root_module":{"module_calls":{"m":null}}}}`), false, false)
	f.Fuzz(func(t *testing.T, raw []byte, undeployed, moved bool) {
		p := &tfjson.Plan{}
		if json.Unmarshal(raw, p) != nil {
			t.Skip()
		}
		whole, err := json.Marshal(p)
		if err != nil || strings.Contains(string(whole), "\u2620") {
			t.Skip()
		}
		for _, rc := range slices.Concat(p.ResourceChanges, p.ResourceDrift) {
			if rc != nil && rc.Change != nil {
				hideIn(rc.Change)
			}
		}
		for _, c := range p.OutputChanges {
			if c != nil {
				hideIn(c)
			}
		}
		found := Terraform(p, State{Undeployed: undeployed, StateMoved: moved, Ahead: moved}, []byte("key"))
		var records []Record
		for _, x := range found {
			records = append(records, Record{Unit: "u", Finding: x})
		}
		rules := []Ignore{{Fields: []string{"*"}, Reason: "r", Until: noon.Add(time.Hour)}}
		kept, ignored := Leave("u", found, rules, noon)
		groups := Causes(records)
		said, err := json.Marshal([]any{found, kept, ignored, groups})
		if err != nil {
			t.Fatal(err)
		}
		if all := string(said) + fmt.Sprint(found, groups); strings.Contains(all, secretWord) {
			t.Errorf("a secret is told: %s", all)
		}
		twice := map[string]bool{}
		for _, x := range found {
			if id := string(x.Class) + x.Address; twice[id] {
				t.Errorf("%s %s is found twice", x.Class, x.Address)
			} else {
				twice[id] = true
			}
			if x.Fingerprint == "" || x.Cause == "" || x.Severity == "" || strings.ContainsAny(x.String(), "\n\r\x1b") {
				t.Errorf("%+v", x)
			}
		}
	})
}

func hideIn(c *tfjson.Change) {
	c.Before, c.After = hide(c.Before, c.BeforeSensitive), hide(c.After, c.AfterSensitive)
}

// hide replaces each value that is marked with true, or is below one, and keeps nulls.
func hide(v, mark any) any {
	if v == nil {
		return nil
	}
	if mark == true {
		switch v := v.(type) {
		case map[string]any:
			for k := range v {
				v[k] = hide(v[k], true)
			}
			return v
		case []any:
			for i := range v {
				v[i] = hide(v[i], true)
			}
			return v
		}
		return secretWord + fmt.Sprint(v)
	}
	switch m := mark.(type) {
	case map[string]any:
		if v, ok := v.(map[string]any); ok {
			for k := range v {
				v[k] = hide(v[k], m[k])
			}
		}
	case []any:
		if v, ok := v.([]any); ok {
			for i := range min(len(v), len(m)) {
				v[i] = hide(v[i], m[i])
			}
		}
	}
	return v
}
