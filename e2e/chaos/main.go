package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	var s settings
	flag.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "draw the faults from this seed")
	flag.BoolVar(&s.short, "short", false, "a few rounds of each")
	flag.StringVar(&s.only, "only", "", "play only these, comma-separated: "+strings.Join(names(scenarios), ", "))
	flag.IntVar(&s.rounds, "rounds", 0, "rounds of each scenario, instead of its own number")
	flag.StringVar(&s.mooring, "mooring", "", "try this binary instead of building one")
	flag.StringVar(&s.mode, "mode", modeNamespaces, "run Mooring in this mode of its sandbox: "+modeNamespaces+", "+modeLandlock+" (namespaces denied by seccomp)")
	flag.BoolVar(&s.keep, "keep", false, "keep the directories of what passed, too")
	flag.BoolVar(&s.verbose, "v", false, "say what every round does")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "chaos: it takes flags only; see -help")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := run(ctx, s, os.Stdout)
	if err == nil && ctx.Err() != nil {
		err = errors.New("stopped by a signal")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// settings are the command line.
type settings struct {
	seed    uint64
	short   bool
	only    string
	rounds  int // 0 leaves it to the scenario
	mooring string
	mode    string
	keep    bool
	verbose bool
}

const (
	modeNamespaces = "namespaces"
	modeLandlock   = "landlock"
)
