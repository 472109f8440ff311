package runner

import (
	"context"
	"fmt"
	"sort"
	"strings"
)

// step is a unit in a walk and the units of the same walk that come before it.
type step struct {
	id    string
	after []string
}

// walk takes every step once all steps before it have ended, as many at a time
// as there are slots. It returns when all that were started have ended; after
// ctx is done no further step starts, and those are missing from the result.
// The steps must not form a cycle.
func walk(ctx context.Context, steps []step, slots chan struct{}, do func(id string) Status) map[string]Status {
	waiting := make(map[string]int, len(steps))
	then := map[string][]string{}
	var ready []string
	for _, s := range steps {
		waiting[s.id] = len(s.after)
		for _, a := range s.after {
			then[a] = append(then[a], s.id)
		}
		if len(s.after) == 0 {
			ready = append(ready, s.id)
		}
	}
	type ended struct {
		id     string
		status Status
	}
	results := make(map[string]Status, len(steps))
	ends := make(chan ended)
	running := 0
	stop := ctx.Done()
	for running > 0 || len(ready) > 0 && ctx.Err() == nil {
		// A nil channel is never ready: no slot is taken when nothing waits for one.
		take := slots
		if len(ready) == 0 || ctx.Err() != nil {
			take = nil
		}
		select {
		case take <- struct{}{}:
			id := ready[0]
			ready = ready[1:]
			running++
			go func() {
				status := do(id)
				<-slots
				ends <- ended{id, status}
			}()
		case e := <-ends:
			running--
			results[e.id] = e.status
			for _, id := range then[e.id] {
				if waiting[id]--; waiting[id] == 0 {
					ready = append(ready, id)
				}
			}
		case <-stop:
			stop = nil // said once; the loop goes on until what runs has ended
		}
	}
	return results
}

// blocked says whether a unit has to stand back because of its upstreams, and
// why: skipped where one failed, deferred where one waits or has never run.
func blocked(upstream map[string]Status) (Status, string) {
	failed, waits := []string{}, []string{}
	for id, s := range upstream {
		switch s {
		case Applied, Unchanged:
		case Failed, Skipped, Interrupted:
			failed = append(failed, fmt.Sprintf("%s %s", id, saidOf(s)))
		default:
			waits = append(waits, fmt.Sprintf("%s %s", id, saidOf(s)))
		}
	}
	sort.Strings(failed)
	sort.Strings(waits)
	if len(failed) > 0 {
		return Skipped, strings.Join(failed, ", ")
	}
	if len(waits) > 0 {
		return Deferred, strings.Join(waits, ", ")
	}
	return "", ""
}

func saidOf(s Status) string {
	switch s {
	case Held:
		return "waits for approval"
	case Planned:
		return "is planned and not applied"
	case Skipped:
		return "was skipped"
	case Deferred:
		return "is deferred"
	case Interrupted:
		return "was interrupted"
	case Discarded:
		return "has a discarded plan"
	case "":
		return "has never been applied"
	}
	return string(s)
}
