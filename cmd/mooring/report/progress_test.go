package report

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/runner"
)

var steps = []runner.Event{
	{Repository: "infra", Phase: runner.PhasePoll, Text: "cannot be reached: connection refused"},
	{Repository: "infra", Run: "r1", Phase: runner.PhaseBegin, Text: "3f2a9c1d0e Add the database subnet", Units: 2},
	{Repository: "infra", Run: "r1", Unit: "infra/network", Phase: runner.PhaseInit},
	{Repository: "infra", Run: "r1", Unit: "infra/network", Phase: runner.PhaseApply},
	{Repository: "infra", Run: "r1", Unit: "infra/db", Phase: runner.PhasePlan},
	{Repository: "infra", Run: "r1", Unit: "infra/network", Phase: runner.PhaseOutput, Text: "terraform_data.x: Creating...\x1b[31m"},
	{Repository: "infra", Run: "r1", Unit: "infra/network", Phase: runner.PhaseDone, Status: runner.Applied, Add: 1},
	{Repository: "infra", Run: "r1", Unit: "infra/db", Phase: runner.PhaseWarning, Text: "no lock file"},
	{Repository: "infra", Run: "r1", Unit: "infra/db", Phase: runner.PhaseDone, Status: runner.Held, Text: "replaces 1", Add: 1, Destroy: 1},
	{Repository: "infra", Run: "r1", Phase: runner.PhaseEnd, Status: runner.Held},
}

func TestProgressPlain(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b, plain, false, func() time.Time { return noon })
	for _, e := range steps {
		p.Observe(e)
	}
	p.Close()
	p.Close() // twice does no harm
	p.Observe(steps[1])
	golden(t, "progress-plain", b.String())
}

// A live display that has ended leaves what a plain one writes.
func TestProgressLiveLeavesOnlyLinesThatStay(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b, Style{Width: 60}, true, func() time.Time { return noon })
	var seen []string
	for i, e := range steps {
		p.Observe(e)
		if i == 5 { // a line of Terraform's has just come
			p.mu.Lock()
			seen = p.status()
			p.mu.Unlock()
		}
	}
	p.Close()
	want := []string{"  infra/network  apply 0.0s  terraform_data.x: Creating...…", "  infra/db  plan  0.0s"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("status lines (-want +got):\n%s", diff)
	}
	var plainText bytes.Buffer
	q := NewProgress(&plainText, Style{Width: 60}, false, func() time.Time { return noon })
	for _, e := range steps {
		q.Observe(e)
	}
	q.Close()
	if got := screen(b.String()); got != plainText.String()+"\n" {
		t.Errorf("the screen ends as\n%s\nwant\n%s", got, plainText.String()+"\n")
	}
}

// screen plays "cursor up N, clear to the end" as a terminal does.
func screen(s string) string {
	var lines []string
	for s != "" {
		var up int
		if n, _ := fmt.Sscanf(s, "\x1b[%dA\r\x1b[J", &up); n == 1 && strings.HasPrefix(s, "\x1b[") {
			lines = lines[:len(lines)-up]
			_, s, _ = strings.Cut(s, "\x1b[J")
			continue
		}
		line, rest, _ := strings.Cut(s, "\n")
		lines, s = append(lines, line), rest
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestProgressFromManyGoroutines(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b, Style{Width: 80}, true, time.Now)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			unit := fmt.Sprintf("unit-%d", i)
			for _, ph := range []runner.Phase{runner.PhaseInit, runner.PhasePlan, runner.PhaseApply} {
				p.Observe(runner.Event{Run: "r", Unit: unit, Phase: ph})
			}
			p.Observe(runner.Event{Run: "r", Unit: unit, Phase: runner.PhaseDone, Status: runner.Applied})
		})
	}
	wg.Wait()
	p.Close()
	if n := strings.Count(screen(b.String()), ": applied"); n != 20 {
		t.Errorf("%d of 20 ends are on the screen", n)
	}
}
