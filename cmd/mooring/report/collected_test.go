package report

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/runner"
)

func TestCollectedTable(t *testing.T) {
	some := runner.Collected{
		Kinds: []runner.Freed{
			{Kind: runner.FreedHistory, Removed: 1, Bytes: 800}, {Kind: runner.FreedLogs, Removed: 12, Bytes: 3 << 20},
			{Kind: runner.FreedPlans}, {Kind: runner.FreedProviders, Removed: 2, Bytes: 5 << 28}, {Kind: "tomorrow's", Removed: 4, Bytes: 1},
		},
		Total: 5<<28 + 3<<20 + 801,
		Notes: []string{"something is left"},
	}
	for _, c := range []struct {
		name   string
		in     runner.Collected
		dryRun bool
		want   string
	}{
		{"some", some, false, `KIND        WHAT                 FREED
history     1 ended run          800 B
logs        12 runs' logs        3.0 MiB
providers   2 provider packages  1.2 GiB
tomorrow's  4                    1 B
Freed 1.3 GiB.
note: something is left
`},
		{"nothing", runner.Collected{Kinds: []runner.Freed{{Kind: runner.FreedPlans}}}, false, "Nothing is old enough to be removed.\n"},
		{"dry run", runner.Collected{Kinds: []runner.Freed{{Kind: runner.FreedWarm, Removed: 2, Bytes: 1024}}, Total: 1024}, true,
			"KIND        WHAT                   FREED\nworkspaces  2 working directories  1.0 KiB\nWould free 1.0 KiB.\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := CollectedTable(&b, c.in, c.dryRun, Style{}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
