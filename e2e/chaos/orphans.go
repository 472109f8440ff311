package main

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ways to leave a process behind that its parent's end, its group's end and its session's end do not reach.
var ways = []struct{ name, command string }{
	{"setsid", `setsid sh -c 'LATE' & `},
	{"nohup", `nohup sh -c 'LATE' >/dev/null 2>&1 & `},
	{"double fork", `(sh -c 'LATE' & ) & `},
	{"setsid without streams", `setsid -f sh -c 'LATE' </dev/null >/dev/null 2>&1; `},
}

// endings of an apply that left an orphan behind.
var endings = []string{"cancel", "supervisor killed", "apply ends"}

// orphans has a local-exec leave a process behind that would write "late" after half a minute. Whether the apply is
// cancelled, its supervisor killed, or ends by itself: five seconds later no process of it is left, so that none can write.
func orphans(p *play) {
	p.rounds(func(i int) {
		way, ending := ways[i%len(ways)], endings[(i/len(ways)+i)%len(endings)]
		p.sayf("%s, %s", way.name, ending)
		w := p.orphanage(way.command, ending != "apply ends")
		s := w.serve()
		w.await(time.Minute, "the orphan", func() bool { return strings.Contains(w.marks(), "orphan") })
		// One that becomes another program just now has no arguments for a moment.
		w.await(5*time.Second, "the bench sees the orphan", func() bool { return len(w.orphans()) > 0 })
		switch ending {
		case "cancel":
			run := w.history()[0]
			if r := w.run("cancel", run.ID); r.code != 0 {
				w.failf("cancel %s: %s", run.ID, r)
			}
		case "supervisor killed":
			all := supervisors(processes(), w.data)
			if len(all) == 0 {
				w.failf("no supervisor runs during an apply")
			}
			for _, sup := range all {
				sup.signal(unix.SIGKILL)
			}
		}
		w.awaitEvery(asking, time.Minute, "the run is over", func() bool { return w.history()[0].Finished != nil })
		w.await(5*time.Second, "no process is left of a run that is over", func() bool { return len(w.orphans()) == 0 })
		if len(w.locks()) > 0 {
			w.failf("still locked: %v", w.locks())
		}
		s.drained()
		if strings.Contains(w.marks(), "late") {
			w.failf("an orphan wrote after its run was over")
		}
		w.done()
	})
}

// orphanage is a world with one resource that leaves an orphan, and then works on for a minute or ends.
func (p *play) orphanage(command string, works bool) *world {
	w := p.world(shape{})
	late := `CHAOS_ORPHAN=` + w.id + ` sleep 30; echo late >> $CHAOS_MARKS`
	if !works { // Terraform waits as long as somebody has the streams of a local-exec
		late = `exec </dev/null >/dev/null 2>&1; ` + late
	}
	// The mark is made by who leaves the orphan: by then it has been started.
	command = strings.ReplaceAll(command, "LATE", late) + `echo orphan >> $CHAOS_MARKS`
	if works {
		command += `; sleep 60`
	}
	w.env = []string{"CHAOS_MARKS=" + w.effects + "/marks"}
	m := module{workspace: "w0", generation: "g1", resources: []resource{{name: "r00", command: command}}}
	w.repo.Write("A resource that leaves a process behind", m.files())
	return w
}

func (w *world) marks() string { return w.read(w.effects + "/marks") }

// orphans are the processes that a local-exec left behind.
func (w *world) orphans() []proc {
	var all []proc
	for _, p := range w.members() {
		if argv := strings.Join(p.argv, " "); strings.Contains(argv, "CHAOS_ORPHAN="+w.id) || strings.HasPrefix(argv, "sleep 30") {
			all = append(all, p)
		}
	}
	return all
}

func init() {
	for i := range ways { // a way without the place for it would leave nothing behind and pass
		if !strings.Contains(ways[i].command, "LATE") {
			panic(fmt.Sprintf("%s leaves nothing behind", ways[i].name))
		}
	}
}
