package engine

import (
	"fmt"
	"strings"
	"testing"
)

func TestRulesAreDealtOut(t *testing.T) {
	tests := []struct {
		rules string // packages with the number of their rules
		hands int
		want  string
	}{
		{"main 5", 2, "main.0 main.2 main.4 | main.1 main.3"},
		{"main 1", 4, "main.0"},
		{"a 2, b 2, c 1", 2, "a.0 a.1 c.0 | b.0 b.1"},        // a package to one hand
		{"a 2, b 2", 3, "a.0 b.1 | a.1 | b.0"},               // too few packages: no hand is idle
		{"a 1, b 1, c 1, d 1", 4, "a.0 | b.0 | c.0 | d.0"},   // one each
		{"a 3, b 1", 0, "a.0 a.1 a.2 b.0"},                   // no such number of hands
		{"a 3, b 1, c 1", 2, "a.0 a.1 a.2 c.0 | b.0"},        // however many rules it has
		{"a 1, b 1, c 1", 8, "a.0 | b.0 | c.0"},              // more hands than rules
		{"a 2, b 1, c 1", 3, "a.0 a.1 | b.0 | c.0"},          // as many packages as hands
		{"a 2, b 1, c 1, d 1", 3, "a.0 a.1 d.0 | b.0 | c.0"}, // one more
	}
	for _, tt := range tests {
		var rules []rule
		for one := range strings.SplitSeq(tt.rules, ", ") {
			name, n := "", 0
			if _, err := fmt.Sscanf(one, "%s %d", &name, &n); err != nil {
				t.Fatal(err)
			}
			for i := range n {
				rules = append(rules, rule{namespace: name, name: fmt.Sprint(i)})
			}
		}
		var hands []string
		for _, some := range parts(rules, tt.hands) {
			var names []string
			for _, r := range some {
				names = append(names, r.namespace+"."+r.name)
			}
			hands = append(hands, strings.Join(names, " "))
		}
		if got := strings.Join(hands, " | "); got != tt.want {
			t.Errorf("%s, %d hands: %s, want %s", tt.rules, tt.hands, got, tt.want)
		}
	}
}
