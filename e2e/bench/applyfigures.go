package main

import (
	"fmt"
	"math"
	"time"
)

// applyFigures are the rows about applying: requests, which are exact, before times.
func applyFigures(objects int, rounds []applyTimes) []figure {
	of := func(pick func(applyTimes) time.Duration) time.Duration {
		var all []time.Duration
		for _, t := range rounds {
			all = append(all, pick(t))
		}
		return median(all)
	}
	// The worst round counts for requests: they do not depend on the machine.
	most := func(pick func(applyTimes) int64) (n int64) {
		for _, t := range rounds {
			n = max(n, pick(t))
		}
		return n
	}
	kubectlSent := fmt.Sprint(most(func(t applyTimes) int64 { return int64(t.kubectlRequests) }))
	count := func(name string, bare string, bar float64, pick func(applyTimes) int64) figure {
		n := most(pick)
		return figure{name: name, mooring: fmt.Sprint(n), bare: bare, result: float64(n), bar: bar, unit: "requests"}
	}
	first := of(func(t applyTimes) time.Duration { return t.kubectlFirst })
	again := of(func(t applyTimes) time.Duration { return t.kubectlAgain })
	diff := of(func(t applyTimes) time.Duration { return t.kubectlDiff })
	bare := of(func(t applyTimes) time.Duration { return t.bare })
	ratio := func(name string, bar float64, theirs time.Duration, pick func(applyTimes) time.Duration) figure {
		d := of(pick)
		return figure{name: name, mooring: said(d), bare: said(theirs), result: d.Seconds() / theirs.Seconds(), bar: bar, unit: "×"}
	}
	set := fmt.Sprintf("%d objects, ", objects)
	unbarred := math.Inf(1)
	return []figure{
		count(set+"first apply", fmt.Sprint(objects), unbarred, func(t applyTimes) int64 { return t.firstSent }),
		count(set+"no-op, warm", kubectlSent, 0, func(t applyTimes) int64 { return t.warmSent }),
		count(set+"no-op after a restart", kubectlSent, 40, func(t applyTimes) int64 { return t.restartSent }),
		count(set+"one changed", kubectlSent, unbarred, func(t applyTimes) int64 { return t.changedSent }),
		count(set+"one changed, writes among them", "", 1, func(t applyTimes) int64 { return t.changedWrites }),
		ratio(set+"first apply : kubectl apply --server-side", 0.6, first, func(t applyTimes) time.Duration { return t.first }),
		ratio(set+"first apply : bare creates, 16 at once", 1.35, bare, func(t applyTimes) time.Duration { return t.first }),
		ratio(set+"no-op, warm : kubectl apply again", 0.01, again, func(t applyTimes) time.Duration { return t.warm }),
		ratio(set+"no-op, warm : kubectl diff", unbarred, diff, func(t applyTimes) time.Duration { return t.warm }),
		ratio(set+"no-op after a restart : kubectl apply again", 1.0/12, again, func(t applyTimes) time.Duration { return t.restart }),
		ratio(set+"one changed : kubectl apply again", 1.0/20, again, func(t applyTimes) time.Duration { return t.changed }),
		{name: set + "rendering, alone", mooring: said(of(func(t applyTimes) time.Duration { return t.render })), bar: unbarred},
	}
}
