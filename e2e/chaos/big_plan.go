package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mooring-iac/mooring/runner"
)

// memoryLimit of the runner, in MiB: it must not grow with what Terraform plans.
const memoryLimit = 256

// bigPlan plans five thousand resources and looks at the most memory that the runner ever had.
func bigPlan(p *play) {
	resources := 5000
	if p.settings.short {
		resources = 500
	}
	most := 0.0
	p.rounds(func(int) {
		text := fmt.Sprintf(`resource "terraform_data" "many" {
  count = %d
  input = { index = count.index, text = "a value of some length, as resources have them: ${count.index}" }
}
`, resources)
		w := p.world(shape{files: map[string]string{"ws/big/main.tf": text}, repoHCL: "  apply = \"never\"\n"})
		s := w.serve()
		w.awaitEvery(asking, limit, "the plan", func() bool {
			runs := w.history()
			return len(runs) > 0 && runs[0].Finished != nil
		})
		run := w.history()[0]
		if u := run.Unit("ws/big"); run.Status != runner.Planned || u.Add != resources {
			w.failf("the plan: %s", summary([]runner.Run{run}))
		}
		// What the page and the commands show of it counts, too.
		w.run("show", run.ID, "-o", "json")
		w.run("show", run.ID, "--log", "ws/big")
		had := w.highWater(s)
		most = max(most, had)
		if had >= memoryLimit {
			w.failf("the runner had %.0f MiB", had)
		}
		s.drained()
		w.done()
	})
	p.notef("%d resources, %.0f MiB at the most", resources, most)
}

// highWater is the most resident memory that a process had so far, in MiB.
func (w *world) highWater(s *server) float64 {
	status := w.read(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "status"))
	for l := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(l, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			w.must(err, "read VmHWM")
			return kb / 1024
		}
	}
	w.failf("no VmHWM: %s", clip(status))
	return 0
}
