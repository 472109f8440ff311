package report

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/runner"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	noon     = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	plain    = Style{Zone: time.UTC}
	terminal = Style{Zone: time.UTC, Color: true, Symbols: true, Width: 78}
)

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// mixed is a run in which everything happens at once.
func mixed() runner.Run {
	began := noon.Add(time.Second)
	r := runner.Run{
		ID: "20260314-120000-3f2a", Repository: "infra", Commit: "3f2a9c1d0e5b77aa0011223344556677889900aa", Subject: "Add the database subnet", Author: "Anna",
		Trigger: runner.OnCommit, Started: noon, Seconds: 64.2,
		Notes: []string{"infra/old is no longer found: it is kept until somebody runs `mooring destroy infra/old` or `mooring forget infra/old`"},
		Units: []runner.UnitResult{
			{
				ID: "infra/network", Kind: runner.KindWorkspace, Status: runner.Applied, Started: &began, Seconds: 1.24, Add: 1, Change: 1, Outputs: []string{"subnet_ids", "vpc_id"},
				Changes: []runner.ResourceChange{{Address: `terraform_data.subnet["b"]`, Action: "create"}, {Address: "module.nat.terraform_data.this", Action: "update"}},
			},
			{
				ID: "infra/db", Kind: runner.KindWorkspace, Status: runner.Held, Seconds: 0.9, Add: 1, Destroy: 1, Reason: "replaces 1",
				Changes: []runner.ResourceChange{{Address: "terraform_data.disk", Action: "replace"}},
			},
			{ID: "infra/legacy", Kind: runner.KindWorkspace, Status: runner.Held, Seconds: 0.4, Destroy: 2, Removal: true, Reason: "destroys 2", Changes: []runner.ResourceChange{{Address: "terraform_data.a", Action: "delete"}, {Address: "terraform_data.b", Action: "delete"}}},
			{
				ID: "infra/dns", Kind: runner.KindWorkspace, Status: runner.Failed, Seconds: 0.3,
				Error: "╷\n│ Error: Invalid index\n│ \n│   on main.tf line 12, in resource \"terraform_data\" \"zone\":\n│   12:   input = var.zones[3]\n│     ├────────────────\n│     │ var.zones is list of string with 2 elements\n│ \n│ The given key does not identify an element in this collection value: the given index is greater than or equal to the length of the collection.\n╵\n",
			},
			{ID: "dns-apps", Kind: runner.KindManifests, Status: runner.Skipped, Reason: "infra/dns failed"},
			{ID: "reports", Kind: runner.KindManifests, Status: runner.Deferred, Reason: "infra/db is held: its output host is not known yet"},
			{
				ID: "apps", Kind: runner.KindManifests, Status: runner.Applied, Seconds: 12.6, Created: 1, Configured: 1, Same: 12, Pruned: 1,
				Objects: []runner.ObjectResult{
					{Ref: "v1 Namespace web", Action: "unchanged", Health: "Current"},
					{Ref: "apps/v1 Deployment web/api", Action: "created", Health: "Current"},
					{Ref: "v1 ConfigMap web/settings", Action: "configured", Health: "Current"},
					{Ref: "v1 Service web/old", Action: "pruned"},
				},
			},
			{ID: "jobs", Kind: runner.KindManifests, Status: runner.Failed, Seconds: 30, Created: 1, Error: "apps/v1 Deployment jobs/worker is not ready after 30s", Objects: []runner.ObjectResult{{Ref: "apps/v1 Deployment jobs/worker", Action: "created", Health: "InProgress", Message: "Back-off pulling image \"nope\""}}},
			{ID: "infra/a", Kind: runner.KindWorkspace, Status: runner.Unchanged, Seconds: 0.2},
			{ID: "infra/b", Kind: runner.KindWorkspace, Status: runner.Unchanged, Seconds: 0.2, Notes: []string{"moved from infra/c: the same state"}},
			{ID: "infra/d", Kind: runner.KindWorkspace, Status: runner.Unchanged, Seconds: 0.2},
		},
	}
	r.Settle()
	return r
}

func TestRun(t *testing.T) {
	r := mixed()
	var plainText, terminalText, full bytes.Buffer
	for w, o := range map[*bytes.Buffer]Options{&plainText: {Style: plain}, &terminalText: {Style: terminal}, &full: {Style: plain, Full: true}} {
		if err := Run(w, &r, o); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "run-plain", plainText.String())
	golden(t, "run-terminal", terminalText.String())
	golden(t, "run-full", full.String())
	if strings.Contains(plainText.String(), "\x1b") {
		t.Error("the plain report has escape sequences")
	}
	for _, l := range strings.Split(terminalText.String(), "\n") {
		if n := visible(l); n > terminal.Width && !strings.Contains(l, "mooring ") {
			t.Errorf("a line of %d columns: %q", n, l)
		}
	}
}

func TestShortReports(t *testing.T) {
	whole := runner.Run{ID: "r2", Repository: "infra", Commit: "aa11", Trigger: runner.OnCommit, Started: noon, Held: "the commit removes 3 of 4 units", Units: []runner.UnitResult{{ID: "a", Kind: runner.KindWorkspace, Status: runner.Held, Destroy: 1, Removal: true}}}
	whole.Settle()
	one := runner.Run{ID: "r3", Repository: "infra", Commit: "bb22", Trigger: runner.Manual, Started: noon, Seconds: 0.5, Units: []runner.UnitResult{{ID: "odd name's", Kind: runner.KindWorkspace, Status: runner.Held, Change: 1, Reason: "auto_apply is never"}}}
	one.Settle()
	broken := runner.Run{ID: "r4", Repository: "infra", Commit: "cc33", Trigger: runner.OnCommit, Started: noon, Error: "mooring.hcl:3: cycle: a -> b -> a"}
	broken.Settle()
	preview := runner.Run{Repository: "infra", Status: runner.Planned, Units: []runner.UnitResult{{ID: "infra/network", Kind: runner.KindWorkspace, Status: runner.Planned, Add: 3, Changes: []runner.ResourceChange{{Address: "terraform_data.x", Action: "create"}}}, {ID: "apps", Kind: runner.KindManifests, Status: runner.Planned, Created: 2, Same: 1}}}
	quiet := runner.Run{ID: "r5", Repository: "infra", Commit: "dd44", Trigger: runner.OnCommit, Status: runner.Unchanged, Started: noon}
	var b bytes.Buffer
	if err := Runs(&b, []runner.Run{whole, one, broken, quiet}, Options{Style: plain, Commands: "mooring -c prod.hcl"}); err != nil {
		t.Fatal(err)
	}
	b.WriteString("\n--- a preview\n")
	if err := Run(&b, &preview, Options{Style: plain, Preview: true}); err != nil {
		t.Fatal(err)
	}
	golden(t, "short", b.String())
}

func TestLongListsAreCutUnlessFull(t *testing.T) {
	u := runner.UnitResult{ID: "big", Kind: runner.KindWorkspace, Status: runner.Planned, Add: 1000}
	for i := range 1000 {
		u.Changes = append(u.Changes, runner.ResourceChange{Address: fmt.Sprintf("terraform_data.x[%d]", i), Action: "create"})
	}
	r := runner.Run{ID: "r", Repository: "infra", Units: []runner.UnitResult{u}}
	var short, full bytes.Buffer
	if err := Run(&short, &r, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := Run(&full, &r, Options{Full: true}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(short.String(), "terraform_data.x"); n != fewChanges || !strings.Contains(short.String(), "… and 975 more") {
		t.Errorf("the short report shows %d changes", n)
	}
	if n := strings.Count(full.String(), "terraform_data.x"); n != 1000 {
		t.Errorf("the full report shows %d changes", n)
	}
}

func TestTables(t *testing.T) {
	r := mixed()
	older := runner.Run{ID: "20260313-090000-aa00", Repository: "infra", Commit: "aa00", Subject: "Näheres über 東京 und sehr viel mehr Text, als eine Zeile fasst, damit gekürzt wird", Status: runner.Applied, Started: noon.Add(-27 * time.Hour), Units: r.Units[:1]}
	held := []locks.Lock{{Holder: locks.Holder{Unit: "infra/network", Repository: "infra", Run: r.ID, Reason: "apply", Since: noon}}}
	var b bytes.Buffer
	for _, s := range []Style{plain, terminal} {
		if err := RunTable(&b, []runner.Run{r, older}, s); err != nil {
			t.Fatal(err)
		}
		if err := LockTable(&b, held, s); err != nil {
			t.Fatal(err)
		}
	}
	if err := RunTable(&b, nil, plain); err != nil {
		t.Fatal(err)
	}
	if err := LockTable(&b, nil, plain); err != nil {
		t.Fatal(err)
	}
	plan := runner.Run{ID: "r7", Repository: "infra", Commit: "cc00", Subject: "Add dns", Trigger: runner.OnPullRequest, PullRequest: 12, Branch: "dns", Status: runner.Planned, Started: noon, Units: []runner.UnitResult{{ID: "a", Status: runner.Planned}}}
	branch := runner.Run{ID: "r6", Repository: "infra", Commit: "bb00", Subject: "review/dns", Trigger: runner.OnPullRequest, Branch: "review/dns", Status: runner.Planned, Started: noon, Units: []runner.UnitResult{{ID: "a", Status: runner.Planned}}}
	if err := RunTable(&b, []runner.Run{plan, branch, older}, plain); err != nil {
		t.Fatal(err)
	}
	held[0].Run, held[0].Reason = "#12", "Add dns by ada"
	if err := LockTable(&b, held, plain); err != nil {
		t.Fatal(err)
	}
	b.WriteString(Unlocked(held[0]))
	golden(t, "tables", b.String())
}

func TestUnbox(t *testing.T) {
	boxed := "╷\n│ Error: No\n│ \n│   on a.tf line 1:\n│    1: x\n╵\n"
	if got, want := Unbox(boxed), "Error: No\n\n  on a.tf line 1:\n   1: x"; got != want {
		t.Errorf("Unbox = %q, want %q", got, want)
	}
}

func TestShellWordIsOneWord(t *testing.T) {
	for in, want := range map[string]string{"infra/network:prod": "infra/network:prod", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$(x)": "'$(x)'"} {
		if got := ShellWord(in); got != want {
			t.Errorf("ShellWord(%q) = %s, want %s", in, got, want)
		}
	}
}
