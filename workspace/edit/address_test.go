package edit

import (
	"reflect"
	"testing"
)

func TestPathsAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string][]any{
		"tags.Owner":                 {"tags", "Owner"},
		"ingress[0].from_port":       {"ingress", 0, "from_port"},
		"ingress.0.from_port":        {"ingress", 0, "from_port"},
		`labels["a.b/c"]`:            {"labels", "a.b/c"},
		`labels["quo\"te"][2].x`:     {"labels", `quo"te`, 2, "x"},
		"instance_type":              {"instance_type"},
		"":                           nil,
		".a":                         nil,
		"a..b":                       nil,
		"a[":                         nil,
		"a[-1]":                      nil,
		`a["b`:                       nil,
		`a["b"]c`:                    nil,
		"containers[name=web].image": {"containers", Item{"name": "web"}, "image"},
		`ports[port=80,name="a]b"]`:  {"ports", Item{"port": "80", "name": "a]b"}},
		"a[=x]":                      nil,
		"a[x=":                       nil,
		"a[x=y":                      nil,
		`a[x="y]`:                    nil,
	} {
		got, err := ParsePath(text)
		if (err != nil) != (want == nil) || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %#v, %v", text, got, err)
		}
	}
}
