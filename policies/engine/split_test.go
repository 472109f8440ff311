package engine

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

// FuzzSplit: where every part is JSON, the whole is, and has the same parts as encoding/json finds. What encoding/json
// refuses is refused, in the splitting or in a part.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{
		secretPlan, `{}`, `[]`, ` { "a" : 1 , "b" : [ ] } `, `[1,"]",{"x":"}"}]`, `{"a":1,}`, `[1 2]`, `{"a" "b"}`, `{"a":}`, `[,]`, `[1,]`, `{"a":1}}`, `[`, `{"\u0061":"\\"}`,
		`{"a":1,"a":2}`, `[1]x`, `{1:2}`, `["\"]`, `[tru e]`, `{"a":nul}`, "", "null", `[{]}]`, `{"a":"b}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		good := func(parts []json.RawMessage) bool {
			return !slices.ContainsFunc(parts, func(p json.RawMessage) bool { _, err := decodeJSON(p); return err != nil })
		}
		var object map[string]json.RawMessage
		wantObject := json.Unmarshal(body, &object) == nil && object != nil
		parts, err := members(body)
		if got := err == nil && good(slices.Collect(maps.Values(parts))); got && (!wantObject || !maps.EqualFunc(parts, object, func(a, b json.RawMessage) bool { return string(a) == string(b) })) {
			t.Errorf("taken for an object: %q gives %q; want %q", body, parts, object)
		} else if !got && wantObject && err == nil {
			t.Errorf("%q is an object, and a part of it is refused", body)
		}
		var list []json.RawMessage
		wantList := json.Unmarshal(body, &list) == nil && list != nil
		some, err := elements(body)
		if got := err == nil && good(some); got != wantList {
			t.Errorf("%q: taken for a list: %v; want %v", body, got, wantList)
		} else if got && !slices.EqualFunc(some, list, func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
			t.Errorf("%q gives %q; want %q", body, some, list)
		}
	})
}

func TestANameThatIsThereTwice(t *testing.T) {
	if _, err := members([]byte(`{"resource_changes":[{}],"resource_changes":[]}`)); err == nil {
		t.Error("it was taken")
	}
}
