package runner

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/workspace"
)

// A push plans again what it touches, and what that reads. The other plans stand: they are
// shown as they were, and applied after the merge as they were shown.
func TestAPushPlansOnlyWhatItTouches(t *testing.T) {
	f := newReviewFixture(t, map[string]string{
		"mooring.hcl":   "workspace \"reader\" {\n  dir       = \"reader\"\n  variables = { x = workspace.net.outputs.out }\n}\nworkspace \"net\" {\n  dir = \"net\"\n}\nworkspace \"alone\" {\n  dir = \"alone\"\n}\n",
		"alone/main.tf": foretelling(`"one"`), "net/main.tf": foretelling(`"one"`), "reader/main.tf": "variable \"x\" {}\n" + foretelling(`"one ${var.x}"`),
	})
	f.expect("alone applied, net applied, reader applied")
	pull := f.propose("topic", map[string]string{"alone/main.tf": foretelling(`"alone in it"`), "net/main.tf": foretelling(`"net in it"`)})
	f.sync()
	first := f.planOf(pull)
	if got := summary([]Run{first}); got != "alone planned, net planned, reader planned" {
		t.Fatalf("the first plan: %s", got)
	}

	f.repo.Push(f.author, "topic", "Other words", map[string]string{"net/main.tf": foretelling(`"net once more"`)})
	f.sync()
	second := f.planOf(pull)
	if got := plannedSince(first, second); got != "net reader" {
		t.Errorf("a push to net planned %s again", got)
	}
	report := f.said(pull)
	for _, want := range []string{"leaves 1 unit alone", "alone in it", "net once more", second.Commit[:7]} {
		if !strings.Contains(report, want) {
			t.Errorf("%q is missing in\n%s", want, report)
		}
	}

	// What is planned for reader depends on what net will be, which only a plan of net says.
	f.repo.Push(f.author, "topic", "The reader", map[string]string{"reader/main.tf": "variable \"x\" {}\n" + foretelling(`"two ${var.x}"`)})
	f.sync()
	third := f.planOf(pull)
	if got := plannedSince(second, third); got != "net reader" {
		t.Errorf("a push to reader planned %s again", got)
	}

	// A person who asks for one unit gets the words of the others too.
	pull.Comment(f.author, "mooring plan reader")
	f.sync()
	asked := f.planOf(pull)
	if got := plannedSince(third, asked); got != "net reader" {
		t.Errorf("a wish for reader planned %s again", got)
	}
	if report := f.said(pull); !strings.Contains(report, "alone in it") || !strings.Contains(report, "two net once more") {
		t.Errorf("the report after a wish for one unit:\n%s", report)
	}

	pull.Approve(f.reviewer)
	f.sync()
	pull.Merge(f.author, "merge")
	f.expect("alone applied, net applied, reader applied")
	run, err := f.r.Show(f.applied(pull.Number))
	if err != nil {
		t.Fatal(err)
	}
	if u := run.Unit("alone"); u == nil || !slices.ContainsFunc(u.Notes, func(n string) bool { return strings.HasPrefix(n, "the plan that was reviewed") }) {
		t.Errorf("alone was not applied by the plan of the first head:\n%s", detail([]Run{run}))
	}
	if got := f.state("reader").Outputs["out"].Value; got != "two net once more" {
		t.Errorf("reader has %v", got)
	}
}

// foretelling is module, but its output is known before it is applied.
func foretelling(value string) string {
	return strings.Replace(module(value), "this.output", "this.input", 1)
}

func (f *reviewFixture) applied(number int) string {
	f.t.Helper()
	p, err := f.r.pull("infra", pullID(number))
	if err != nil {
		f.t.Fatal(err)
	}
	return p.Applied
}

// plannedSince are the units that a run planned itself.
func plannedSince(before, now Run) string {
	var units []string
	for _, u := range now.Units {
		if old := before.Unit(u.ID); old == nil || !old.Started.Equal(*u.Started) {
			units = append(units, u.ID)
		}
	}
	return strings.Join(units, " ")
}

func TestWhichPlansStand(t *testing.T) {
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	state := stateMemory{Identity: "here", Lineage: "l", Serial: 3, Resources: 1}
	tests := []struct {
		name   string
		change func(u *UnitResult, k *reviewed, known *memory)
		want   bool
	}{
		{"nothing happened", func(*UnitResult, *reviewed, *memory) {}, true},
		{"it changes nothing", func(u *UnitResult, k *reviewed, _ *memory) { u.Status, k.File = Unchanged, "" }, true},
		{"it was never applied", func(_ *UnitResult, k *reviewed, known *memory) {
			k.Bound.State, known.State = stateMemory{Identity: "here"}, stateMemory{}
		}, true},
		{"something applied it", func(_ *UnitResult, _ *reviewed, known *memory) { known.State.Serial++ }, false},
		{"something applied it for the first time", func(_ *UnitResult, k *reviewed, _ *memory) { k.Bound.State = stateMemory{Identity: "here"} }, false},
		{"its plan is on its way to an apply", func(_ *UnitResult, k *reviewed, _ *memory) { k.File = "" }, false},
		{"it refers to files that are gone", func(_ *UnitResult, k *reviewed, _ *memory) { k.Volatile = true }, false},
		{"it is older than an hour", func(u *UnitResult, _ *reviewed, _ *memory) { *u.Started = noon.Add(-61 * time.Minute) }, false},
		{"another process made it", func(u *UnitResult, _ *reviewed, _ *memory) { *u.Started = noon.Add(-31 * time.Minute) }, false},
		{"a cluster has to be asked", func(u *UnitResult, _ *reviewed, _ *memory) { u.Kind = KindManifests }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			started := noon.Add(-time.Minute)
			u := &UnitResult{ID: "app", Kind: KindWorkspace, Status: Planned, Started: &started}
			k := &reviewed{heldPlan: heldPlan{File: "f", Bound: binding{State: state}}}
			known := &memory{ID: "app", State: state}
			tt.change(u, k, known)
			x := &reviewRun{
				execution: &execution{r: &Runner{opts: Options{Now: func() time.Time { return noon }}}, graph: &workspace.Graph{}, known: map[string]*memory{"app": known}},
				v:         &reviewer{began: noon.Add(-30 * time.Minute)},
			}
			if got := x.stands(u, k); got != tt.want {
				t.Errorf("it stands: %t, want %t", got, tt.want)
			}
		})
	}
	if (&reviewRun{}).stands(&UnitResult{Kind: KindWorkspace}, nil) {
		t.Error("a plan that nobody kept stands")
	}
}
