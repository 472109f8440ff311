package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/runner"
)

// leak has the leaky repository taken and answers the text of every sink.
func (w *world) leak() map[string]string {
	sinks := map[string]string{}
	s := w.serve("--verbose")
	done := make(chan struct{})
	lists := make(chan string, 1)
	go func() { lists <- w.processList(done) }()
	err := w.guarded(func() {
		// Events: what a client sees that watches a pass.
		sinks["events"] = w.run("sync", "--repository", "infra").stderr
		w.awaitEvery(asking, limit, "the run is over", func() bool {
			runs := w.history()
			return len(runs) > 0 && runs[0].Finished != nil && runs[len(runs)-1].Finished != nil
		})
	})
	close(done)
	sinks["process lists"] = <-lists
	w.must(err, "let the secrets out")
	w.happened()
	for _, run := range w.history() {
		sinks["show"] += w.run("show", run.ID).stdout
		sinks["show -o json"] += w.run("show", run.ID, "-o", "json").stdout
		for _, u := range run.Units {
			r := w.run("show", run.ID, "--log", u.ID)
			sinks["show --log"] += r.stdout + r.stderr
		}
	}
	sinks["runs -o json"] = w.run("runs", "-o", "json").stdout
	sinks["locks -o json"] = w.run("locks", "-o", "json").stdout
	sinks["pages"] = w.pages(s)
	s.drained()
	sinks["server log"] = s.said() + s.printed()
	r := w.run("sync", "--verbose") // once more without a server: failed units are tried again
	sinks["sync"] = r.stdout + r.stderr
	for _, f := range w.files(w.data, func(path string) bool { return leftBy(w.data, path) != "" }) {
		sinks[leftBy(w.data, f)] += w.read(f) + "\n"
	}
	return sinks
}

// happened ends the round when a workspace did not come to the end that lets its secrets out.
func (w *world) happened() {
	want := map[string]runner.Status{"producer": runner.Applied, "consumer": runner.Applied, "stored": runner.Applied, "refused": runner.Failed, "broken": runner.Failed}
	for id, status := range want {
		found := false
		for _, run := range w.history() {
			if u := run.Unit(id); u != nil && u.Status == status {
				found = true
			}
		}
		if !found {
			w.failf("the bench: %s did not end %s, so nothing is shown: %s", id, status, summary(w.history()))
		}
	}
}

// processList looks again and again, until done, at the arguments of every process of the world and the environments of its
// supervisors. The runner's own environment is the operator's.
func (w *world) processList(done <-chan struct{}) string {
	seen := map[string]bool{}
	var b strings.Builder
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return b.String()
		case <-tick.C:
		}
		all := processes()
		mine := append(withEnv(all, "CHAOS_WORLD="+w.id), supervisors(all, w.data)...)
		for _, p := range mine {
			if len(p.argv) == 0 || filepath.Base(p.argv[0]) == "sh" || filepath.Base(p.argv[0]) == "base64" {
				continue // what the repository itself starts is not Mooring's
			}
			if text := strings.Join(p.argv, " "); !seen[text] {
				seen[text] = true
				b.WriteString(text + "\n")
			}
		}
		for _, p := range supervisors(all, w.data) {
			key := "environ " + strconv.Itoa(p.pid)
			env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "environ"))
			// One that a supervisor has just forked looks like it, until it is Terraform: with credentials that are meant for that.
			now, still := readProc(p.pid)
			if err == nil && !seen[key] && still && slices.Equal(now.argv, p.argv) {
				seen[key] = true
				b.WriteString(strings.ReplaceAll(string(env), "\x00", "\n") + "\n")
			}
		}
	}
}

var listening = regexp.MustCompile(`msg=listening address=(\S+)`)

// pages are what the web listener answers.
func (w *world) pages(s *server) string {
	found := listening.FindStringSubmatch(s.said())
	if found == nil {
		w.failf("the server does not say where it listens: %s", clip(s.said()))
	}
	text := ""
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/"} {
		resp, err := http.Get(fmt.Sprintf("http://%s%s", found[1], path))
		w.must(err, "ask "+path)
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		w.must(err, "ask "+path)
		text += string(b)
	}
	return text
}
