package main

import (
	"strings"
	"testing"
)

// aState has two resources; id, lineage and serial are what a second apply would change.
func aState(id, lineage, attribute string) string {
	return `{"version":4,"terraform_version":"1.11.4","serial":3,"lineage":"` + lineage + `","outputs":{"v":{"value":1,"type":"number"}},"resources":[
{"mode":"managed","type":"terraform_data","name":"b","instances":[{"attributes":{"id":"` + id + `","input":"` + attribute + `"}}]},
{"mode":"managed","type":"terraform_data","name":"a","instances":[{"index_key":"x","attributes":{"id":"` + id + `"}}]}]}`
}

func TestStatesAreComparedButForWhatEveryApplyDraws(t *testing.T) {
	first, err := normalise([]byte(aState("1", "l1", "here")))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := normalise([]byte(aState("2", "l2", "here"))); err != nil || again != first {
		t.Errorf("another id and lineage: %v\n%s\nwant\n%s", err, again, first)
	}
	for what, text := range map[string]string{
		"an attribute":          aState("1", "l1", "there"),
		"a tainted resource":    strings.Replace(aState("1", "l1", "here"), `{"index_key"`, `{"status":"tainted","index_key"`, 1),
		"a deposed resource":    strings.Replace(aState("1", "l1", "here"), `{"index_key"`, `{"deposed":"00000001","index_key"`, 1),
		"an output":             strings.Replace(aState("1", "l1", "here"), `"value":1`, `"value":2`, 1),
		"a resource more":       strings.Replace(aState("1", "l1", "here"), `"name":"b","instances":[`, `"name":"b","instances":[{"attributes":{}},`, 1),
		"a resource's own name": strings.Replace(aState("1", "l1", "here"), `"name":"a"`, `"name":"c"`, 1),
	} {
		if other, err := normalise([]byte(text)); err != nil || other == first {
			t.Errorf("%s makes no difference (%v)", what, err)
		}
	}
	for _, broken := range []string{"", "{", `{"version":3}`, aState("1", "l1", "here")[:200]} {
		if text, err := normalise([]byte(broken)); err == nil {
			t.Errorf("%q is read as %q", broken, text)
		}
	}
}
