package comment

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const (
	head = "4f2a91c07be1aa0011223344556677889900aabb"
	base = "9b1c2d3e4f5566778899aabbccddeeff00112233"
	page = "https://mooring.example.com/runs/r12"
	room = 65_536
)

func report(units ...Unit) Report {
	return Report{Marker: Marker("report", "acme/infra", 7), Head: head, Base: base, Run: "r12", URL: page, Seconds: 4.21, Units: units}
}

func mixed(t testing.TB) Report {
	r := report(
		Unit{ID: "infra/quiet", Kind: "workspace", Status: "unchanged"},
		Unit{ID: "infra/network", Kind: "workspace", Status: "planned", Policy: "allowed", Add: 3, Change: 1, Seconds: 1.2, Diff: "+ # terraform_data.subnet will be created\n+ resource \"terraform_data\" \"subnet\" {\n+     input = \"10.0.0.0/24\"\n+ }\n", Text: "Terraform will perform the following actions:\n\n  # terraform_data.subnet will be created\n  + resource \"terraform_data\" \"subnet\" {\n      + input = \"10.0.0.0/24\"\n    }\n\nPlan: 3 to add, 1 to change, 0 to destroy.\n", URL: page + "/infra/network"},
		Unit{ID: "infra/db", Kind: "workspace", Status: "held", Reason: "destroys 2", Policy: "needs approval: 1 rule", Add: 1, Change: 3, Destroy: 2, Seconds: 2.5, Notes: []string{"infra/db uses the lock file of `infra/network`"}, Diff: Diff(readPlan(t, "mixed")), URL: page + "/infra/db"},
		Unit{ID: "infra/legacy", Kind: "workspace", Status: "held", Reason: "destroys 1", Destroy: 1, Removal: true, Diff: "- # terraform_data.old will be destroyed\n- resource \"terraform_data\" \"old\" {\n-     id = \"7\"\n- }\n"},
		Unit{ID: "apps", Kind: "manifests", Status: "planned", Policy: "allowed", Add: 1, Change: 1, Destroy: 1, Objects: []Object{
			{Ref: "v1 Namespace web", Action: "unchanged"},
			{Ref: "apps/v1 Deployment web/api", Action: "configured", Diff: "@@ spec.replicas @@\n spec:\n-  replicas: 2\n+  replicas: 3\n"},
			{Ref: "v1 ConfigMap web/settings", Action: "created", Diff: "+apiVersion: v1\n+kind: ConfigMap\n", Note: "found by its name"},
			{Ref: "v1 Service web/old", Action: "pruned"},
		}},
		Unit{ID: "reports", Kind: "manifests", Status: "deferred", Reason: "infra/db is not applied yet: its output host will change"},
	)
	r.Notes = []string{"1 provider was not in the lock file of infra/network"}
	r.Waits = []string{"`infra/db` and `infra/legacy` destroy: a person says yes", "reports waits for infra/db"}
	r.Next = []Next{{"mooring approve infra/db", "says yes to what infra/db destroys"}, {"mooring plan", "plans again"}, {"mooring help", "shows all commands"}}
	return r
}

func TestRender(t *testing.T) {
	nothing := report(Unit{ID: "a", Status: "unchanged", Text: "No changes."}, Unit{ID: "b", Status: "unchanged", Objects: []Object{{Ref: "v1 Namespace web", Action: "unchanged"}}})
	none := report()
	noPlan := report()
	noPlan.Failed = "mooring.hcl:3: cycle: a -> b -> a\n\n  3: depends_on = [workspace.b]"
	bad := report(
		Unit{ID: "infra/network", Status: "planned", Add: 1, Diff: "+ # a.b will be created\n"},
		Unit{ID: "infra/dns", Status: "failed", Seconds: 0.4, URL: page + "/infra/dns", Error: "╷\n│ Error: Invalid index\n│ \n│   on main.tf line 12, in resource \"terraform_data\" \"zone\":\n│   12:   input = var.zones[3]\n│ \n│ The given key does not identify an element.\n╵\n"},
		Unit{ID: "dns-apps", Kind: "manifests", Status: "skipped", Reason: "infra/dns failed"},
	)
	waits := report(Unit{ID: "infra/cluster", Status: "planned", Add: 2, Diff: "+ # a.b will be created\n"}, Unit{ID: "apps", Kind: "manifests", Status: "deferred", Reason: "infra/cluster has outputs that are not applied yet: kubeconfig"})
	queued := report(Unit{ID: "infra/network", Status: "queued", Reason: "locked by pull request #12 since 09:14"}, Unit{ID: "infra/db", Status: "queued", Reason: "waits for infra/network"})
	queued.Title = "Queued behind pull request #12"
	queued.Waits = []string{"infra/network is locked by #12 (@anna, run r9) since 09:14: it is planned again when that is merged, closed or unlocked"}
	queued.Next = []Next{{"mooring cancel", "leaves the queue"}}
	unplanned := report()
	unplanned.Run, unplanned.Waits = "", []string{"infra/network is locked by #12: this is planned when that is merged, closed or unlocked"}
	titled := unplanned
	titled.Title = "No plan of 4f2a91c yet: it waits for #12"
	held := report(Unit{ID: "infra/db", Status: "held", Reason: "the plan made after the merge differs from the reviewed one", Change: 1, Destroy: 1, Diff: "! # a.b must be replaced: destroyed, then created\n", Difference: "@@ a.b @@\n- ! # a.b will be changed in place\n+ ! # a.b must be replaced: destroyed, then created\n"})
	held.Next = []Next{{"mooring approve infra/db", "applies the plan made now"}, {"mooring discard infra/db", "drops it"}}
	done := report(Unit{ID: "infra/network", Status: "applied", Add: 3, Change: 1, Seconds: 63}, Unit{ID: "apps", Kind: "manifests", Status: "applied", Add: 1, Objects: []Object{{Ref: "apps/v1 Deployment web/api", Action: "created", Note: "ready after 12 s"}}})
	for name, r := range map[string]Report{"planned": mixed(t), "nothing": nothing, "no-unit": none, "no-plan": noPlan, "failed": bad, "deferred": waits, "queued": queued, "queued-unplanned": unplanned, "queued-titled": titled, "held-different": held, "applied": done, "many": many(300), "too-long": tooLong(t), "injection": monsters()} {
		t.Run(name, func(t *testing.T) {
			limit := room
			if name == "too-long" {
				limit = 8000
			}
			got := Render(r, limit)
			golden(t, name+".md", got)
			check(t, r, got, limit)
		})
	}
	if n := strings.Count(Render(nothing, room), "\n"); n != 3 {
		t.Errorf("nothing takes %d lines, want one and the marker", n)
	}
}

func many(n int) Report {
	var units []Unit
	for i := range n {
		u := Unit{ID: fmt.Sprintf("tenants/%03d/infra", i), Status: "planned", Change: i % 4, Diff: strings.Repeat("! # terraform_data.x will be changed in place\n", 1+i%7)}
		switch {
		case i%50 == 49:
			u.Destroy = i / 50
		case i%60 == 59:
			u.Status, u.Error, u.Diff = "failed", "Error: no such zone", ""
		case i%4 == 0:
			u.Status, u.Diff = "unchanged", ""
		}
		units = append(units, u)
	}
	return report(units...)
}

func tooLong(t testing.TB) Report {
	r := mixed(t)
	r.Units[1].Text = strings.Repeat("      + a line of a long plan that says ünïcödé things\n", 2000)
	r.Units[1].Diff = "+ " + strings.Repeat("東京", 20_000)
	return r
}

const monster = "```\n~~~\n</details>\n</summary><script>alert(1)</script>\n@org/team and @anna see #12, !34, ABC-12, acme/infra#5 and 4f2a91c07be1\nmooring apply\natlantis apply\n/merge\n/approve\n# head | cell | `a\\|b`\n- [x] [link](https://evil.example.com) https://evil.example.com www.evil.example.com a@evil.example.com ![](x)\n\u202etxt.exe\u2069 \x00 \x1b[31mred\x1b[0m\r/close\r\n<!-- mooring:report:acme/infra:7 -->\n```````````````````````````````\n$`x`$ [[wiki]] :tada: <b>bold</b> **b** _i_ ~~s~~ &#64;anna &copy;\n    indented\n1. one\n> quote\n---\n"

// column0 is what Terraform prints of a check block's error message (it begins at
// the first column of a line).
const column0 = "╷\n│ Warning: Check block assertion failed\n│ \n│   on main.tf line 3, in check \"c\":\n│    3:     condition     = false\n│ \n```\nmooring apply\n</details>\n╵\n"

func monsters() Report {
	r := report(Unit{ID: "a|b`c/" + monster, Kind: monster, Status: "held" + monster, Reason: monster, Error: column0, Policy: monster, Notes: []string{monster}, Add: 1, Destroy: 1, Diff: monster, Text: column0 + monster, Difference: monster, URL: "https://evil.example.com/) @anna", Objects: []Object{{Ref: monster, Action: monster, Diff: monster, Note: monster}}})
	r.Title, r.Failed, r.Run, r.Head, r.Base, r.URL = monster, monster, monster, monster, monster, "javascript:alert(1)"
	r.Notes, r.Waits, r.Next = []string{monster}, []string{monster, "- 1. x", "# y"}, []Next{{monster, monster}, {"a|b", "c|d `|` \\|"}}
	return r
}

// However little room there is, the comment fits, and what destroys is in it before
// anything else.
func TestRenderFits(t *testing.T) {
	for name, r := range map[string]Report{"planned": mixed(t), "many": many(300), "thousands": many(5000), "too long": tooLong(t), "monsters": monsters()} {
		for _, limit := range []int{0, 1, 50, 200, 1000, 3999, 4100, 5000, 8000, 20_000, 65_536, 1 << 20} {
			got := Render(r, limit)
			if len(got) > limit || !utf8.ValidString(got) {
				t.Errorf("%s: %d bytes for %d, or not UTF-8", name, len(got), limit)
			}
			if limit >= 200 && !HasMarker(got, r.Marker) {
				t.Errorf("%s: no marker in %d bytes", name, limit)
			}
			if limit >= 5000 {
				check(t, r, got, limit)
			}
		}
	}
	got := Render(many(5000), room)
	for i := 49; i < 5000; i += 500 { // a row of the greatest destroyers, the failed and a count of the rest
		if i > 4000 && !strings.Contains(got, fmt.Sprintf("| `tenants/%03d/infra` |", i)) {
			t.Errorf("unit %d destroys and has no row", i)
		}
	}
	if !strings.Contains(got, "\nAnd ") || !strings.Contains(got, "left out; [the full text]("+page+")") {
		t.Error("what was left out is not said")
	}
}

func TestCutsSayWhatTheyCut(t *testing.T) {
	text := strings.Repeat("a line of the plan\n", 10_000)
	got := Render(report(Unit{ID: "a", Status: "planned", Add: 1, Text: text, URL: page + "/a", Diff: "+ short\n"}), 10_000)
	shown := strings.Count(got, "a line of the plan")
	if want := fmt.Sprintf("\n%d lines cut; [the full text](%s/a).\n", 10_000-shown, page); !strings.Contains(got, want) || shown < 300 {
		t.Errorf("%d lines are shown and %q is not said", shown, want)
	}
	if !strings.Contains(got, "+ short\n```\n") {
		t.Error("the short part was cut before the long one")
	}
	one := Render(report(Unit{ID: "a", Status: "planned", Add: 1, Text: strings.Repeat("ü", 5<<19), URL: page + "/a"}), room)
	if !strings.Contains(one, "ü…\n```\n\n1 line cut; [the full text]") || len(one) > room || len(one) < room*9/10 {
		t.Errorf("one long line: %d bytes", len(one))
	}
}

func TestOrder(t *testing.T) {
	var got []string
	for _, u := range ranked([]Unit{{ID: "a"}, {ID: "b", Add: 1}, {ID: "c", Status: "failed"}, {ID: "d", Destroy: 1}, {ID: "e", Add: 5}, {ID: "f", Destroy: 4}, {ID: "g"}, {ID: "h", Error: "x", Status: "planned"}}) {
		got = append(got, u.ID)
	}
	if s := strings.Join(got, ""); s != "fdchebag" {
		t.Errorf("order %s", s)
	}
}

func TestStatusText(t *testing.T) {
	long := strings.Repeat("very/", 30) + "long"
	for _, c := range []struct {
		want string
		r    Report
	}{
		{"No unit is affected", Report{}},
		{"Nothing changes in 2 units", report(Unit{Status: "unchanged"}, Unit{Status: "unchanged"})},
		{"3 to add in a", report(Unit{ID: "a", Status: "planned", Add: 3}, Unit{ID: "b", Status: "unchanged"})},
		{"3 to add, 1 to change, 2 to destroy: b +1 -2, a +2 ~1", report(Unit{ID: "a", Status: "planned", Add: 2, Change: 1}, Unit{ID: "b", Status: "planned", Add: 1, Destroy: 2})},
		{"3 to add, 1 to change, 2 to destroy in 2 of 3 units", report(Unit{ID: long, Status: "planned", Add: 2, Change: 1}, Unit{ID: "b", Status: "planned", Add: 1, Destroy: 2}, Unit{Status: "unchanged"})},
		{"1 added, 1 to destroy; 1 held, 1 deferred: b -1, a +1", report(Unit{ID: "a", Status: "applied", Add: 1}, Unit{ID: "b", Status: "held", Destroy: 1}, Unit{ID: "c", Status: "deferred"})},
		{"1 failed, 1 skipped of 3 units", report(Unit{ID: "a", Status: "failed"}, Unit{ID: "b", Status: "skipped"}, Unit{ID: "c", Status: "unchanged"})},
		{"No plan: mooring.hcl:3: cycle", Report{Failed: "╷\n│ Error: mooring.hcl:3: cycle\n╵"}},
		{"4 to add in 4 of 4 units", report(Unit{ID: "a", Add: 1}, Unit{ID: "b", Add: 1}, Unit{ID: "c", Add: 1}, Unit{ID: "d", Add: 1})},
	} {
		if got := StatusText(c.r); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	for _, r := range []Report{monsters(), {Failed: monster + strings.Repeat("x", 500)}, many(5000), report(Unit{ID: monster, Add: 1, Status: "planned"})} {
		got := StatusText(r)
		if n := utf8.RuneCountInString(got); n > 140 || n == 0 || strings.ContainsAny(got, "\n\r\x00\x1b") {
			t.Errorf("%d characters: %q", n, got)
		}
	}
}

// A plan of 10 MB is no work: little of it is looked at.
func TestRender10MB(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED in short mode: texts of 10 MB")
	}
	r := report(Unit{ID: "a", Status: "planned", Add: 1, Text: bigPlan(), Diff: bigPlan()}, Unit{ID: "b", Status: "planned", Change: 1, Text: strings.Repeat("x", 5<<20)})
	began := time.Now()
	got := Render(r, room)
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("rendering took %s", took)
	}
	check(t, r, got, room)
}

func bigPlan() string {
	return strings.Repeat("  + resource \"terraform_data\" \"x\" {\n      + input = \"`ticks` and words\"\n    }\n\n", 10<<20/80)
}

func BenchmarkRender10MB(b *testing.B) {
	r := report(Unit{ID: "a", Status: "planned", Add: 1, Text: bigPlan(), Diff: bigPlan()}, Unit{ID: "b", Status: "planned", Change: 1, Text: strings.Repeat("x", 5<<20)})
	b.SetBytes(25 << 20)
	b.ReportAllocs()
	for b.Loop() {
		if got := Render(r, room); len(got) > room {
			b.Fatal(len(got))
		}
	}
}

func BenchmarkRenderUnlimited10MB(b *testing.B) {
	r := report(Unit{ID: "a", Status: "planned", Add: 1, Text: bigPlan()})
	b.SetBytes(10 << 20)
	b.ReportAllocs()
	for b.Loop() {
		if got := Render(r, 1<<30); len(got) < 10<<20 {
			b.Fatal(len(got))
		}
	}
}
