// Command bench prints what Mooring costs beside the bare commands it stands for,
// both measured in one run on one machine, in turn.
//
// Absolute times say something about the machine; the ratio says something about
// Mooring. Each figure is the median of its rounds.
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/mooring-iac/mooring/internal/build"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// a figure is one row of the table.
type figure struct {
	name    string
	mooring string // absolute
	bare    string // absolute, "" where there is nothing to compare with
	result  float64
	bar     float64 // +Inf: only said
	unit    string  // of result and bar: "×", "s", "ms", "MB", "KB", "requests"
}

// bench is what every measurement needs.
type bench struct {
	dir     string // everything made here is below it
	mooring string // the binary
	env     []string
	rounds  int
	figures []figure
}

func run(ctx context.Context) error {
	binary := flag.String("mooring", "", "measure this binary instead of building one")
	only := flag.String("only", "", "measure only these, comma-separated: "+strings.Join(names(), ", "))
	rounds := flag.Int("rounds", 3, "rounds of each measurement")
	large := flag.Bool("large", false, "also apply 10,000 objects, which takes minutes")
	flag.Parse()
	var asked []string
	if *only != "" {
		asked = strings.Split(*only, ",")
	}
	for _, name := range asked {
		if !slices.ContainsFunc(measurements, func(m measurement) bool { return wanted([]string{name}, m.name) }) {
			return fmt.Errorf("there is no measurement %q; there are %s", name, strings.Join(names(), ", "))
		}
	}

	dir, err := os.MkdirTemp("", "mooring-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, mooring: *binary, rounds: *rounds}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	for _, m := range measurements {
		if asked != nil && !wanted(asked, m.name) {
			continue
		}
		if m.slow && !*large {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring %s …\n", m.name)
		if err := m.measure(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return b.print()
}

// wanted tells whether a measurement is named, by itself or with its like: reviews is reviews-1, reviews-20 and so on.
func wanted(only []string, name string) bool {
	like, _, _ := strings.Cut(name, "-")
	return slices.Contains(only, name) || slices.Contains(only, like)
}

type measurement struct {
	name    string
	measure func(*bench, context.Context) error
	slow    bool // only where asked for
}

var measurements = []measurement{
	{name: "fresh", measure: (*bench).fresh},
	{name: "second", measure: (*bench).second},
	{name: "providers", measure: (*bench).providers},
	{name: "poll", measure: (*bench).poll},
	{name: "graph", measure: (*bench).graph},
	{name: "server", measure: (*bench).server},
	{name: "supervisor", measure: (*bench).supervisor},
	{name: "reviews-1", measure: (*bench).reviewOne},
	{name: "reviews-20", measure: (*bench).reviewTwenty},
	{name: "reviews-50", measure: (*bench).reviewFifty},
	{name: "reviews-providers", measure: (*bench).reviewProviders},
	{name: "reviews-text", measure: (*bench).longTexts},
	{name: "gate", measure: (*bench).gate},
	{name: "drift-scan", measure: (*bench).driftScan},
	{name: "drift-providers", measure: (*bench).driftProviders},
	{name: "drift-classify", measure: (*bench).driftClassify},
	{name: "drift-kubernetes", measure: (*bench).driftKubernetes},
	{name: "kubernetes", measure: (*bench).kubernetes},
	{name: "large", measure: (*bench).large, slow: true},
	{name: "version", measure: (*bench).version},
}

func names() []string {
	var all []string
	for _, m := range measurements {
		all = append(all, m.name)
	}
	return all
}

func (b *bench) prepare(ctx context.Context) error {
	if b.mooring == "" {
		b.mooring = filepath.Join(b.dir, "mooring")
		if err := build.Mooring(ctx, build.Static, b.mooring, "-trimpath", "-ldflags", "-s -w"); err != nil {
			return err
		}
	}
	abs, err := filepath.Abs(b.mooring)
	if err != nil {
		return err
	}
	b.mooring = abs
	rc := filepath.Join(b.dir, "terraformrc")
	if err := os.WriteFile(rc, []byte("disable_checkpoint = true\n"), 0o600); err != nil {
		return err
	}
	b.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "TF_CLI_CONFIG_FILE=" + rc, "CHECKPOINT_DISABLE=1",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=bench", "GIT_AUTHOR_EMAIL=bench@example.com",
		"GIT_COMMITTER_NAME=bench", "GIT_COMMITTER_EMAIL=bench@example.com", "LANG=C.UTF-8",
	}
	return nil
}

// exec runs a command to its end and returns how long that took. An exit code of
// 2 is Mooring's word for "something waits", and no failure.
func (b *bench) exec(ctx context.Context, dir string, argv ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, b.env
	out, err := os.CreateTemp(b.dir, "out-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	began := time.Now()
	err = cmd.Run()
	took := time.Since(began)
	if err != nil {
		said, _ := os.ReadFile(out.Name()) // only makes the error say more
		return took, fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, tail(said))
	}
	return took, nil
}

func tail(out []byte) []byte { return out[max(0, len(out)-4000):] }

// pair measures two things in turn and records the ratio of their medians.
func (b *bench) pair(name string, bar float64, mooring, bare func(round int) (time.Duration, error)) error {
	var ours, theirs []time.Duration
	for round := range b.rounds {
		a, err := mooring(round)
		if err != nil {
			return err
		}
		c, err := bare(round)
		if err != nil {
			return err
		}
		ours, theirs = append(ours, a), append(theirs, c)
	}
	a, c := median(ours), median(theirs)
	b.figures = append(b.figures, figure{name: name, mooring: said(a), bare: said(c), result: a.Seconds() / c.Seconds(), bar: bar, unit: "×"})
	return nil
}

func median[T int64 | float64 | time.Duration](all []T) T {
	sorted := slices.Clone(all)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

func said(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.0f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// amount is a number of a unit, with as many digits as mean something.
func amount(v float64, unit string) string {
	switch {
	case unit == "requests":
		return fmt.Sprintf("%.0f", v)
	case v < 0.1:
		return fmt.Sprintf("%.4f %s", v, unit)
	}
	return fmt.Sprintf("%.2f %s", v, unit)
}

func (b *bench) print() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tMOORING\tBARE\tRESULT\tBAR\t")
	missed := 0
	for _, f := range b.figures {
		verdict := ""
		if f.result > f.bar {
			verdict = "over"
			missed++
		}
		result, bar := amount(f.result, f.unit), "≤ "+amount(f.bar, f.unit)
		if math.IsInf(f.bar, 1) {
			bar = ""
		}
		if f.unit == "" {
			result = ""
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", f.name, f.mooring, f.bare, result, bar, verdict)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if missed > 0 {
		fmt.Printf("%d of %d are over their bar\n", missed, len(b.figures))
	}
	return nil
}
