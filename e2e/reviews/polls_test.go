package reviews

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

// With nothing new, a look at the pull requests asks git once and the API once, however many are open; and conditionally,
// where the forge tells ETags.
func TestLooksWithNothingNewCostLittle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{poll: "1s"})
	w.proxy.tellETags()
	w.serve()
	open := map[*gitea.Pull]expected{}
	for _, branch := range []string{"one", "two", "three"} {
		open[w.propose(branch, map[string]string{branch + ".md": "Words\n"})] = expected{report: []string{"no unit is affected"}, status: map[string]string{"mooring/plan": "success"}}
	}
	w.converged(time.Minute, open)

	// Looks go on being richer until the second of the last change is over.
	var all []asked
	w.await(time.Minute, "five quiet looks", func() string {
		every, _ := w.proxy.requests(0)
		all = nil
		for i := len(every) - 1; i >= 0 && (every[i].Git || strings.Contains(every[i].Path, "/pulls?")); i-- {
			all = append(all, every[i])
		}
		if lists(all) >= 5 {
			return ""
		}
		var said []string
		for _, a := range every[max(0, len(every)-12):] {
			said = append(said, a.Method+" "+a.Path)
		}
		return fmt.Sprintf("requests %q", said)
	})
	looks, git, conditional := lists(all), 0, 0
	for _, a := range all {
		switch {
		case a.Git:
			git++
		case a.Matched && a.Status == 304:
			conditional++
		}
	}
	t.Logf("%d looks: %d requests of the API, %d answered with 304; %d git requests, those of the branch's polls included", looks, looks, conditional, git)
	if conditional < looks-1 {
		t.Errorf("%d of %d looks were conditional", conditional, looks)
	}
	if git > 2*looks+3 { // the branch is polled as often, by itself, and no two polls are in step
		t.Errorf("%d git requests for %d looks", git, looks)
	}
}

func lists(all []asked) (n int) {
	for _, a := range all {
		if !a.Git {
			n++
		}
	}
	return n
}
