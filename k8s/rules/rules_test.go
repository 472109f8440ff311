package rules

import (
	"strings"
	"testing"
)

func compile(t *testing.T, text Text) *Rule {
	t.Helper()
	c, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEvaluate(t *testing.T) {
	widget := Text{Kind: "example.com/Widget", Healthy: "object.status.phase == 'Ready' && object.status.nodes >= object.spec.nodes",
		Failed: "object.status.phase == 'Broken'", Message: "object.status.phase + ': ' + object.status.?reason.orValue('no reason given')"}
	status := func(s map[string]any) map[string]any {
		return map[string]any{"spec": map[string]any{"nodes": int64(3)}, "status": s}
	}
	for _, tt := range []struct {
		name   string
		text   Text
		object map[string]any
		want   Verdict
	}{
		{"healthy", widget, status(map[string]any{"phase": "Ready", "nodes": int64(3)}), Verdict{Healthy: true}},
		{"not yet", widget, status(map[string]any{"phase": "Ready", "nodes": int64(2), "reason": "one is missing"}), Verdict{Message: "Ready: one is missing"}},
		{"failed", widget, status(map[string]any{"phase": "Broken"}), Verdict{Failed: true, Message: "Broken: no reason given"}},
		{"no status yet", widget, map[string]any{"spec": map[string]any{}}, Verdict{Message: "its health rule cannot be evaluated yet: no such key: status"}},
		{"conditions", Text{Kind: "Pod", Healthy: "object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')"},
			map[string]any{"status": map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "True"}}}}, Verdict{Healthy: true}},
		{"no truth value", Text{Kind: "Pod", Healthy: "object.status"}, status(nil), Verdict{Message: "its health rule cannot be evaluated yet: the expression gives map, and must give bool"}},
		{"too expensive", Text{Kind: "Pod", Healthy: "object.l.all(a, object.l.all(b, object.l.all(c, object.l.all(d, a + b + c + d >= 0))))"},
			map[string]any{"l": numbers(200)}, Verdict{Message: "its health rule cannot be evaluated yet: operation cancelled: actual cost limit exceeded"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := compile(t, tt.text).Evaluate(tt.object); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

func numbers(n int) []any {
	l := make([]any, n)
	for i := range l {
		l[i] = int64(i)
	}
	return l
}

func TestCompileRefuses(t *testing.T) {
	c, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		text Text
		want string
	}{
		{"syntax", Text{Kind: "example.com/W", Healthy: "object.a =="}, "healthy: column 12: Syntax error"},
		{"another variable", Text{Kind: "example.com/W", Healthy: "request.user == ''"}, "healthy: column 1: undeclared reference to 'request'"},
		{"not a truth value", Text{Kind: "example.com/W", Healthy: "'yes'"}, "healthy: the expression gives string, and must give bool"},
		{"message that is a number", Text{Kind: "example.com/W", Healthy: "true", Message: "1"}, "message: the expression gives int, and must give string"},
		{"nothing is healthy", Text{Kind: "example.com/W"}, "healthy: a rule says what healthy is"},
		{"a Secret", Text{Kind: "Secret", Healthy: "true", Message: "object.data.password"}, "kind: a Secret is healthy once it is there"},
		{"a version", Text{Kind: "v1/Pod", Healthy: "true"}, `write "Pod" for the core group`},
		{"a version after the group", Text{Kind: "example.com/v1/W", Healthy: "true"}, "is no kind"},
		{"a resource", Text{Kind: "example.com/widgets", Healthy: "true"}, "is no kind"},
		{"too long", Text{Kind: "example.com/W", Healthy: "true" + strings.Repeat(" ", maxLength)}, "longer than"},
		{"too deep", Text{Kind: "example.com/W", Healthy: strings.Repeat("(", 1000) + "true" + strings.Repeat(")", 1000)}, "healthy: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := c.Compile(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestRulesFor(t *testing.T) {
	r := New(compile(t, Text{Kind: "example.com/Widget", Healthy: "true"}))
	if r.For("example.com", "Widget") == nil || r.For("example.com", "Other") != nil || (Rules{}).For("", "Pod") != nil {
		t.Error("a rule was found for the wrong kind")
	}
}
