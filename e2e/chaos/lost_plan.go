package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/runner"
)

// tampering is what happens to the file of a plan that waits for a person; other is the one of another unit.
var tampering = []struct {
	name string
	do   func(p *play, file, other string) error
}{
	{"deleted", func(_ *play, file, _ string) error { return os.Remove(file) }},
	{"truncated", func(p *play, file, _ string) error {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		return os.Truncate(file, p.rng.Int64N(info.Size()))
	}},
	{"one byte flipped", func(p *play, file, _ string) error {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		b[p.rng.IntN(len(b))] ^= 1 << p.rng.IntN(8)
		return os.WriteFile(file, b, 0o600)
	}},
	{"replaced by another unit's", func(_ *play, file, other string) error {
		b, err := os.ReadFile(other)
		if err != nil {
			return err
		}
		return os.WriteFile(file, b, 0o600)
	}},
}

// lostPlan has the file of a held plan vanish or change before it is approved. It is never applied: the approval answers
// with an error or a new plan, which waits for a person of its own; that one is applied, once.
func lostPlan(p *play) {
	p.rounds(func(i int) {
		how := tampering[i%len(tampering)]
		p.sayf("%s", how.name)
		w, run := p.held()
		plans := w.plans()
		if len(plans) < 2 {
			w.failf("2 plans are held, and the files are %q", plans)
		}
		for _, f := range plans {
			if b := []byte(w.read(f)); bytes.HasPrefix(b, []byte("PK")) {
				w.failf("%s is a plan in clear", f)
			}
		}
		w.must(how.do(p, plans[0], plans[1]), "tamper with a plan")
		// The unit of plans[0] is not known by its name alone: both are approved, and the other one is as good as ever.
		w.run("approve", run.ID, "--by", "chaos") // it may refuse at once
		runs, code := w.sync()
		began := map[string]bool{}
		for _, l := range w.lines() {
			began[l.workspace] = true
		}
		if len(began) != 1 {
			w.failf("%v applied something, want the unit alone whose plan was left alone; exit %d: %s", began, code, summary(runs))
		}
		if again := w.waits(); len(again) != 1 || began[strings.TrimPrefix(again[0], "ws/")] {
			w.failf("waiting are %q, want the unit whose plan was %s with a new plan, exit %d: %s", again, how.name, code, summary(runs))
		}
		w.converge()
		w.complete()
		w.done()
	})
}

// held is a world with two plans that wait.
func (p *play) held() (*world, runner.Run) {
	s := p.standard()
	s.workspaces, s.resources = 2, 2
	s.repoHCL = "  auto_apply = \"never\"\n"
	w := p.world(s)
	runs, code := w.sync()
	if len(runs) != 1 || code != 2 || runs[0].Status != runner.Held {
		w.failf("nothing is held, exit %d: %s", code, summary(runs))
	}
	return w, runs[0]
}

// waits names the units that wait now, whatever run they are in.
func (w *world) waits() []string {
	all := w.stuck()
	slices.Sort(all)
	return slices.Compact(all)
}

// plans are the files of the plans that are kept.
func (w *world) plans() []string {
	var all []string
	err := filepath.WalkDir(filepath.Join(w.data, "plans"), func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			all = append(all, name)
		}
		return err
	})
	w.must(err, "list the plans")
	return all
}
