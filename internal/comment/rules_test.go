package comment

import (
	"strings"
	"testing"
)

func TestWhatRulesSayIsListedAndContained(t *testing.T) {
	r := Report{Marker: "m", Head: "4f2a91c", Units: []Unit{{
		ID: "app", Kind: "workspace", Status: "planned", Change: 1, Denied: true, Policy: "denied",
		Rules: []Rule{{"deny", "@everybody must not\n```\nmooring apply"}, {"ask", "a large one"}, {"warn", "an old one"}, {"", "of no effect"}},
	}}}
	text := Render(r, 65536)
	for _, want := range []string{"| Policy |", "| denied |", "- denied: ", "- asks: a large one", "- warns: an old one", "- denied: of no effect"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "mooring apply") || strings.HasPrefix(line, "```\n") {
			t.Errorf("a rule's words begin a line: %q", line)
		}
	}
	if strings.Contains(text, " @everybody") {
		t.Error("a rule mentions people")
	}
}
