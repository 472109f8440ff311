package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// scenario is one promise and the faults that try it.
type scenario struct {
	name  string
	short int // rounds of the short form
	long  int // rounds of the long form
	what  string
	play  func(*play)
}

// scenarios in the order they are played.
var scenarios = []scenario{
	{"runner kills during an apply", 3, 50, "kill -9 of serve or sync; equal to an unkilled control", killRunner},
	{"whole-tree kills finished or flagged", 2, 50, "runner, supervisors and all below killed as by a power cut", killTree},
	{"kills at every Nth fdatasync", 2, 200, "the runner killed in its database's transactions, then converged", killFdatasync},
	{"kills at every Nth fsync", 1, 200, "runner or supervisor killed as it makes a result durable, then converged", killFsync},
	{"orphan scenarios with no process left", 3, 24, "setsid, nohup, double fork; cancelled, killed or ended: no process after 5 s", orphans},
	{"SIGTERM points with valid state", 2, 20, "drained or interrupted within the grace: states valid, backend locks free", sigterm},
	{"SIGTERM with --hand-over", 1, 20, "supervisors go on, the next server records them", handOver},
	{"thread churn during applies", 1, 20, "stops, polls, clients and signals shake runner and supervisors", threadChurn},
	{"disk-full points recovered", 2, 10, "full before or in the middle of applies; states whole, none printed", fullDisk},
	{"lost or truncated plan refused", 4, 12, "deleted, cut, one byte flipped, another unit's: never applied, a new plan waits", lostPlan},
	{"saved plan executed once in races", 2, 2, "approve and sync at the same moment, with and without a server", planRaces},
	{"foreign backend lock left intact", 2, 10, "own stale locks of the dead are freed, a foreign one stays", foreignLock},
	{"errored.tfstate restored", 1, 3, "backend down at the first, middle, last write; state push gives the control's state", erroredState},
	{"two runners on one data directory refused", 4, 50, "the second ends within 2 s, says why, touches nothing", twoRunners},
	{"runs without zombies or leaks", 5, 200, "0 zombies, descriptors flat", manyRuns},
	{"memory with a big plan", 1, 3, "runner below 256 MiB", bigPlan},
	{"secrets", 1, 3, "eight sources, plain, escaped and in base64: in no log, list, file or page", canaries},
	{"sandbox escapes refused", 1, 2, "from HCL and local-exec: environments, states, database, key, home, disks, signals", sandboxEscapes},
}

func names(all []scenario) []string {
	var out []string
	for _, s := range all {
		out = append(out, s.name)
	}
	return out
}

// run plays the scenarios and prints their table. It answers whether all passed; the error is the bench's own.
func run(ctx context.Context, s settings, out io.Writer) (bool, error) {
	chosen, err := choose(s.only)
	if err != nil {
		return false, err
	}
	b := &bench{ctx: ctx, settings: s, out: out}
	fmt.Fprintf(out, "seed %d\n", s.seed)
	if err := b.prepare(); err != nil {
		return false, err
	}
	defer b.clear()
	var rows []row
	for _, sc := range chosen {
		if ctx.Err() != nil {
			break
		}
		rows = append(rows, b.play(sc))
	}
	rows = append(rows, b.sums()...)
	return table(out, rows), nil
}

func choose(only string) ([]scenario, error) {
	if only == "" {
		return scenarios, nil
	}
	var chosen []scenario
	for _, want := range strings.Split(only, ",") {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == strings.TrimSpace(want) })
		if i < 0 {
			return nil, fmt.Errorf("there is no scenario %q: use %s", want, strings.Join(names(scenarios), ", "))
		}
		chosen = append(chosen, scenarios[i])
	}
	return chosen, nil
}

// row is one line of the table.
type row struct {
	name   string
	passed int
	of     int
	zero   bool // passed counts what must not be: it passes with 0
	what   string
	took   time.Duration
	misses []miss
}

func (r row) ok() bool {
	if r.zero {
		return r.passed == 0
	}
	return r.passed == r.of && r.of > 0 && len(r.misses) == 0
}

// miss is one round that did not hold.
type miss struct {
	round int
	err   error
	dir   string // what is left to look at
}

// table prints the rows and answers whether all are as they should be.
func table(out io.Writer, rows []row) bool {
	ok := true
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nSCENARIO\tPASSED OF RUN\tWHAT\tTIME\t")
	for _, r := range rows {
		verdict := ""
		if !r.ok() {
			verdict, ok = "MISSED", false
		}
		took := ""
		if r.took > 0 {
			took = r.took.Round(time.Second).String()
		}
		fmt.Fprintf(w, "%s\t%d of %d\t%s\t%s\t%s\n", r.name, r.passed, r.of, r.what, took, verdict)
	}
	_ = w.Flush() // to a terminal or a buffer
	for _, r := range rows {
		for _, m := range r.misses {
			fmt.Fprintf(out, "\n%s, round %d: %v\n  left in %s\n", r.name, m.round, m.err, m.dir)
		}
	}
	return ok
}
