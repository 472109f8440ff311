package k8s

import (
	"strings"
	"testing"
)

func TestAllowance(t *testing.T) {
	tenant := Allowance{By: "the operator", Namespaces: []string{"team-a", "team-a-*"}, Kinds: []string{"*"}}
	narrow := Allowance{By: "the operator", Namespaces: []string{"team-a"}, Kinds: []string{"apps/*", "ConfigMap", "v1/Secret", "*.example.com/Backup"}}
	platform := Allowance{By: "the operator", Namespaces: []string{"*"}, Kinds: []string{"*"}, ClusterKinds: []string{"*"}}
	ownNamespaces := Allowance{By: "the operator", Namespaces: []string{"team-a-*"}, ClusterKinds: []string{"Namespace"}}
	deployment := ID{Group: "apps", Kind: "Deployment", Namespace: "team-a", Name: "x"}
	configMap := ID{Kind: "ConfigMap", Namespace: "team-a", Name: "x"}
	role := ID{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "x"}
	for _, tt := range []struct {
		name  string
		allow []Allowance
		id    ID
		want  string // part of the refusal, "" when allowed
	}{
		{"no allowance restricts nothing", nil, role, ""},
		{"the zero allowance allows nothing", []Allowance{{}}, configMap, "allows no namespace"},
		{"the zero allowance allows nothing in the cluster", []Allowance{{}}, role, "allows no cluster-scoped kind"},
		{"own namespace", []Allowance{tenant}, deployment, ""},
		{"own namespace by pattern", []Allowance{tenant}, ID{Kind: "Pod", Namespace: "team-a-dev", Name: "x"}, ""},
		{"namespace that only begins alike", []Allowance{tenant}, ID{Kind: "Pod", Namespace: "team-ab", Name: "x"}, "namespace team-ab: the operator allows team-a, team-a-*"},
		{"another's namespace", []Allowance{tenant}, ID{Kind: "Pod", Namespace: "kube-system", Name: "x"}, "namespace kube-system"},
		{"cluster-scoped", []Allowance{tenant}, role, "cluster-scoped kind rbac.authorization.k8s.io/ClusterRole: the operator allows no cluster-scoped kind"},
		{"every namespaced kind is no cluster-scoped one", []Allowance{tenant}, ID{Kind: "Namespace", Name: "team-a"}, "cluster-scoped kind Namespace"},
		{"kind by group", []Allowance{narrow}, deployment, ""},
		{"core kind", []Allowance{narrow}, configMap, ""},
		{"core kind under v1", []Allowance{narrow}, ID{Kind: "Secret", Namespace: "team-a", Name: "x"}, ""},
		{"kind of the same name in another group", []Allowance{narrow}, ID{Group: "evil.io", Kind: "ConfigMap", Namespace: "team-a", Name: "x"}, "kind evil.io/ConfigMap"},
		{"kind not listed", []Allowance{narrow}, ID{Kind: "Pod", Namespace: "team-a", Name: "x"}, "kind Pod: the operator allows apps/*, ConfigMap"},
		{"custom kind by pattern of groups", []Allowance{narrow}, ID{Group: "db.example.com", Kind: "Backup", Namespace: "team-a", Name: "x"}, ""},
		{"everything", []Allowance{platform}, role, ""},
		{"own Namespace object", []Allowance{ownNamespaces}, ID{Kind: "Namespace", Name: "team-a-dev"}, ""},
		{"another Namespace object", []Allowance{ownNamespaces}, ID{Kind: "Namespace", Name: "kube-system"}, "namespace kube-system"},
		{"kinds left out are none", []Allowance{ownNamespaces}, ID{Kind: "Pod", Namespace: "team-a-dev", Name: "x"}, "allows no kind"},
		{"two must agree", []Allowance{platform, narrow}, ID{Kind: "Pod", Namespace: "team-a", Name: "x"}, "kind Pod"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Set{Allow: tt.allow}.refuses(tt.id)
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("refuses = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAllowanceHoldsForPrunes(t *testing.T) {
	mine := Item{ID: ID{Kind: "ConfigMap", Namespace: "team-a", Name: "x"}, Version: "v1"}
	theirs := Item{ID: ID{Kind: "ConfigMap", Namespace: "team-b", Name: "x"}, Version: "v1"}
	unseen := Item{ID: ID{Kind: "ConfigMap", Namespace: "team-b", Name: "y"}, Version: "v1"}
	gone := Item{ID: ID{Kind: "ConfigMap", Namespace: "team-b", Name: "z"}, Version: "v1"}
	set := Set{ID: "s", Prune: true, Allow: []Allowance{{By: "the operator", Namespaces: []string{"team-a"}, Kinds: []string{"*"}}}}
	live := Live{Found: true, Owner: set.label(), UID: "1", Managed: "m"}
	plan := Plan(set, nil, Observed{Live: map[ID]Live{mine.ID: live, theirs.ID: live, unseen.ID: {Unknown: true}, gone.ID: {}}}, Inventory{Items: []Item{mine, theirs, unseen, gone}})
	for _, a := range plan {
		if a.Item.ID == gone.ID {
			if a.Verb != VerbForget {
				t.Errorf("what is gone is kept: %s", a)
			}
			continue
		}
		want := VerbDelete
		if a.Item.ID != mine.ID {
			want = VerbSkip
		}
		if a.Verb != want || want == VerbSkip && !strings.Contains(a.Reason, "namespace team-b: the operator allows team-a") {
			t.Errorf("%s: %s, %q", a.Item.Ref(), a.Verb, a.Reason)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "a", true}, {"*", "", true}, {"*", "abc", true}, {"a*", "abc", true}, {"*c", "abc", true},
		{"a*c", "abc", true}, {"a*c", "ac", true}, {"ab*bc", "abc", false}, {"a*b*c", "a1b2c", true}, {"a*b*c", "a1c", false}, {"**", "x", true},
		{"team-*", "team", false}, {"a.c", "abc", false},
	} {
		if got := Matches(tt.pattern, tt.text); got != tt.want {
			t.Errorf("Matches(%q, %q) = %v", tt.pattern, tt.text, got)
		}
	}
}

func TestCheckKindPattern(t *testing.T) {
	for pattern, want := range map[string]string{
		"*": "", "ConfigMap": "", "v1/ConfigMap": "", "apps/*": "", "apps/Deployment": "", "*/Ingress": "", "*.example.com/*": "",
		"apps/v1/Deployment": `write "apps/Deployment"`, "": "is no kind", "apps/": "is no kind", "/Pod": "is no kind",
		"deployment": "with capitals", "apps/deployments": "with capitals", "Apps/Deployment": "no capitals", "Pod, Secret": "is no kind",
	} {
		err := CheckKindPattern(pattern)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}
