package reviews

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

// What Gitea tells may come in order, three times and shuffled with rubbish between it, or not at all: people see the same.
func TestDeliveriesInOrderShuffledOrNone(t *testing.T) {
	t.Parallel()
	shown := make(map[string]map[string]string)
	var mu sync.Mutex
	t.Run("worlds", func(t *testing.T) {
		for name, play := range map[string]func(*testing.T) map[string]string{"in order": inOrder, "shuffled": shuffled, "none": pollingAlone} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				got := play(t)
				mu.Lock()
				defer mu.Unlock()
				shown[name] = got
			})
		}
	})
	if len(shown) != 3 {
		t.Fatal("not all worlds came to their end")
	}
	for _, name := range []string{"shuffled", "none"} {
		if diff := cmp.Diff(shown["in order"], shown[name]); diff != "" {
			t.Errorf("with deliveries %s (-in order +%s):\n%s", name, name, diff)
		}
	}
}

// inOrder is the control: Gitea's webhooks reach Mooring, which hardly polls.
func inOrder(t *testing.T) map[string]string {
	w := newWorld(t, setting{apply: "before_merge", poll: "10m", webhooks: true})
	w.serve()
	return w.playAll(func() {})
}

func pollingAlone(t *testing.T) map[string]string {
	w := newWorld(t, setting{apply: "before_merge", poll: "1s"})
	w.serve()
	return w.playAll(func() {})
}

// shuffled records the deliveries, and after each act sends of all that were made up to then, each three times.
func shuffled(t *testing.T) map[string]string {
	w := newWorld(t, setting{apply: "before_merge", poll: "10m"})
	inbox := gitea.Receive(t)
	w.repo.Webhook(inbox.URL, w.secret)
	w.serve()
	s := &storm{w: w, rng: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 3))}
	acts := w.acts()
	each := counts(200, 1000) / len(acts)
	got := w.playAll(func() {
		w.await(30*time.Second, "deliveries to be there", func() string {
			if len(inbox.All()) > s.known {
				return ""
			}
			return "none came"
		})
		s.send(inbox.All(), each)
	})
	// What comes for hours after everything is over changes nothing either.
	s.send(inbox.All(), each)
	t.Logf("%d deliveries of %d kinds sent, %d of them rubbish; each of Gitea's three times", s.sent.Load(), s.known, s.rubbish.Load())
	if again := w.shown(); !cmp.Equal(got, again) {
		t.Errorf("what came late changed something:\n%s", cmp.Diff(got, again))
	}
	return got
}

// storm sends deliveries, eight at once.
type storm struct {
	w             *world
	rng           *rand.Rand
	known         int
	sent, rubbish atomic.Int64
}

func (s *storm) send(recorded []gitea.Delivery, n int) {
	s.known = len(recorded)
	var all []gitea.Delivery
	for i := range n {
		d := recorded[len(recorded)-1-i%len(recorded)]
		all = append(all, d, d, d)
	}
	s.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	jobs := make(chan func())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for job := range jobs {
				job()
			}
		})
	}
	for i, d := range all {
		jobs <- func() { s.deliver("infra", d.Header, d.Body, http.StatusAccepted, http.StatusServiceUnavailable) }
		if i%20 == 0 {
			jobs <- func() { s.junk(i/20, d) }
		}
	}
	close(jobs)
	wg.Wait()
}

// junk is what nobody signed, or not as it came.
func (s *storm) junk(i int, d gitea.Delivery) {
	s.rubbish.Add(1)
	header := d.Header.Clone()
	switch i % 6 {
	case 0:
		header.Set("X-Gitea-Signature", strings.Repeat("0", 64))
		s.deliver("infra", header, d.Body, http.StatusNotFound)
	case 1:
		header.Del("X-Gitea-Signature")
		s.deliver("infra", header, d.Body, http.StatusNotFound)
	case 2:
		s.deliver("infra", header, append(slices.Clone(d.Body), ' '), http.StatusNotFound)
	case 3:
		body := []byte("rubbish \x00\xff")
		header.Set("X-Gitea-Signature", signature(s.w.secret, body))
		s.deliver("infra", header, body, http.StatusNotFound)
	case 4:
		body := bytes.Repeat([]byte("x"), 1<<20+1)
		header.Set("X-Gitea-Signature", signature(s.w.secret, body))
		s.deliver("infra", header, body, http.StatusRequestEntityTooLarge)
	case 5:
		s.deliver("another", d.Header, d.Body, http.StatusNotFound)
	}
}

func signature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func (s *storm) deliver(repository string, header http.Header, body []byte, want ...int) {
	req, err := http.NewRequest(http.MethodPost, "http://"+s.w.address+"/hooks/"+repository, bytes.NewReader(body))
	if err != nil {
		s.w.t.Error(err)
		return
	}
	req.Header = header.Clone()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if len(body) <= 1<<20 { // of what is too large the rest may not be read
			s.w.t.Error(err)
		}
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // the status says it
	s.sent.Add(1)
	if !slices.Contains(want, resp.StatusCode) {
		s.w.t.Errorf("a delivery was answered %d, want one of %v", resp.StatusCode, want)
	}
}

// act is something that people do, and what is to come of it.
type act struct {
	name string
	do   func()
	want func() map[*gitea.Pull]expected
}

// acts are ten pull requests, or four: they are opened, pushed to, talked in, applied, merged and closed. The last wants a
// unit of the first.
func (w *world) acts() []act {
	n := counts(4, 10)
	pulls := make([]*gitea.Pull, n)
	unit := func(i int) string { return fmt.Sprintf("u%d", i) }
	values := map[int]string{}
	planned := map[string]string{"mooring/plan": "success", "mooring/policy": "success"}
	waits := expected{report: []string{"locked by"}, status: map[string]string{"mooring/plan": "pending"}}
	all := func(change func(i int, e *expected)) func() map[*gitea.Pull]expected {
		return func() map[*gitea.Pull]expected {
			want := map[*gitea.Pull]expected{}
			for i, p := range pulls {
				if p == nil {
					continue
				}
				e := expected{report: []string{values[i]}, status: planned}
				if i == n-1 {
					e = waits
				}
				if i == 0 {
					e.answers = 1
				}
				change(i, &e)
				want[p] = e
			}
			return want
		}
	}
	applied := map[string]string{"mooring/plan": "success", "mooring/apply": "success"}
	half := (n - 1 + 1) / 2
	return []act{
		{"open", func() {
			for i := range n - 1 {
				values[i] = unit(i) + " one"
				pulls[i] = w.propose(unit(i), map[string]string{unit(i) + "/main.tf": w.module(values[i])})
			}
		}, all(func(i int, e *expected) { e.answers = 0 })},
		{"queue", func() { // who is first has the lock: the last is told that it waits
			values[n-1] = "last one"
			pulls[n-1] = w.propose("last", map[string]string{unit(0) + "/other.tf": w.module(values[n-1])})
		}, all(func(i int, e *expected) { e.answers = 0 })},
		{"push and talk", func() {
			for i := 1; i < n-1; i += 2 {
				values[i] = unit(i) + " two"
				head := w.repo.Push(w.author, unit(i), "Better", map[string]string{unit(i) + "/main.tf": w.module(values[i])})
				pulls[i].AwaitHead(head)
			}
			pulls[0].Comment(w.author, "mooring help")
		}, all(func(int, *expected) {})},
		{"apply", func() {
			for i := range half {
				pulls[i].Comment(w.author, "mooring apply")
			}
		}, all(func(i int, e *expected) {
			if i < half {
				e.status = applied
			}
		})},
		{"merge and close", func() {
			for i := range half {
				pulls[i].Merge(w.author, []string{"merge", "squash"}[i%2])
			}
			if n-2 >= half {
				pulls[n-2].Close(w.author)
			}
		}, all(func(i int, e *expected) {
			switch {
			case i < half:
				e.status = applied
			case i == n-2:
				e.report, e.status = nil, map[string]string{"mooring/apply": "error"}
			case i == n-1:
				e.report, e.status = []string{values[i]}, planned
			}
		})},
	}
}

// playAll plays all acts; after each, tell is what tells Mooring of it, and everything converges within a minute.
func (w *world) playAll(tell func()) map[string]string {
	w.t.Helper()
	for _, a := range w.acts() {
		a.do()
		tell()
		took := w.converged(time.Minute, a.want())
		w.t.Logf("%s: converged after %s", a.name, took.Round(time.Millisecond))
	}
	w.await(time.Minute, "the locks of the closed to be free", func() string {
		held := w.locks()
		if len(held) == len(w.stillOpen()) {
			return ""
		}
		return strings.Join(held, ", ")
	})
	return w.shown()
}

var passing = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`), "UUID"},
	{regexp.MustCompile(`[0-9a-f]{40}|\b[0-9a-f]{7}\b`), "COMMIT"},
	{regexp.MustCompile(`\br[0-9]+\b`), "RUN"},
	{regexp.MustCompile(`[0-9.]+ (ms|s|min)\b`), "TIME"},
	{regexp.MustCompile(`127\.0\.0\.1:[0-9]+`), "ADDRESS"},
	{regexp.MustCompile("`?@?\\b(owner|mooring|ada|grace)(-[0-9]+)?\\b`?"), "$1"}, // a name with a number is code in a comment
	{regexp.MustCompile(`(mooring:answer:infra:[0-9]+):[0-9]+`), "$1"},
	// Whether Terraform initialized depends on whether the unit was planned before.
	{regexp.MustCompile(`(?s)<details><summary>As Terraform says it.*?</details>`), "TERRAFORM"},
	{regexp.MustCompile(`user [0-9]+`), "user N"},
	{regexp.MustCompile(`/tmp/[^' ]*/effects`), "EFFECTS"},
}

// shown is everything that people see, without what differs from one time to the next.
func (w *world) shown() map[string]string {
	w.t.Helper()
	shown := map[string]string{"locks": strings.Join(w.locks(), "\n"), "applied": strings.Join(w.lines(), "\n")}
	for n := 1; n <= counts(4, 10); n++ {
		p := w.repo.Pull(n)
		said := w.said(p)
		slices.Sort(said)
		shown[fmt.Sprintf("comments of #%d", n)] = strings.Join(said, "\n---\n")
		statuses := ""
		for _, context := range []string{"mooring/plan", "mooring/policy", "mooring/apply"} {
			s := w.repo.Statuses(p.State().Head)[context]
			statuses += fmt.Sprintf("%s %s %s\n", context, s.State, s.Description)
		}
		shown[fmt.Sprintf("statuses of #%d", n)] = statuses
	}
	for what, text := range shown {
		for _, p := range passing {
			text = p.pattern.ReplaceAllString(text, p.with)
		}
		shown[what] = text
	}
	return shown
}

// stillOpen are the pull requests that are open.
func (w *world) stillOpen() (all []int) {
	w.t.Helper()
	for n := 1; n <= counts(4, 10); n++ {
		if w.repo.Pull(n).State().Open {
			all = append(all, n)
		}
	}
	return all
}
