package reviews

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

// badDays are the ways in which a forge is not there, by turns.
type badDays struct {
	rng     *rand.Rand
	started time.Time
	turn    time.Duration // of each way
	seen    map[string]int
}

// next is what becomes of a request now. It is called with one request at a time.
func (d *badDays) next(a *asked) *fault {
	way := int(time.Since(d.started)/d.turn) % 5
	switch {
	case d.rng.IntN(100) < 40: // some come through, so that half a thing is done again and again
		return nil
	case a.Git:
		if d.rng.IntN(8) > 0 { // every look begins with git: the API is to be reached
			return nil
		}
		d.seen["git 502"]++
		return &fault{Status: http.StatusBadGateway, Body: "bad gateway"}
	case way == 0:
		d.seen["429"]++
		return &fault{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"2"}}, Body: `{"message":"slow down"}`, Until: time.Now().Add(2 * time.Second)}
	case way == 1:
		d.seen["502"]++
		return &fault{Status: http.StatusBadGateway, Header: http.Header{"Content-Type": {"text/html"}}, Body: "<html>bad gateway</html>"}
	case way == 2:
		// The budget's end is told in whole seconds: nothing before that second is allowed.
		until := time.Now().Add(3 * time.Second).Truncate(time.Second)
		d.seen["403"]++
		return &fault{Status: http.StatusForbidden, Header: http.Header{"X-RateLimit-Remaining": {"0"}, "X-RateLimit-Reset": {strconv.FormatInt(until.Unix(), 10)}}, Body: `{"message":"API rate limit exceeded"}`, Until: until}
	case way == 3:
		d.seen["cut before"]++
		return &fault{Drop: true}
	}
	d.seen["403 secondary"]++
	return &fault{Status: http.StatusForbidden, Header: http.Header{"Retry-After": {"1"}}, Body: `{"message":"You have exceeded a secondary rate limit"}`, Until: time.Now().Add(time.Second)}
}

// A forge that is away, limits or answers nonsense while people work loses nothing of what they do.
func TestAnOutageLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{webhooks: true})
	w.serve()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	lasts := counts(16*time.Second, 5*time.Minute)
	days := &badDays{rng: rand.New(rand.NewPCG(seed, 1)), started: time.Now(), turn: counts(3*time.Second, 20*time.Second), seen: map[string]int{}}
	cut := rand.New(rand.NewPCG(seed, 2))
	turn := make(chan struct{}, 1)
	turn <- struct{}{}
	w.proxy.faults(func(a *asked) *fault {
		<-turn
		defer func() { turn <- struct{}{} }()
		return days.next(a)
	}, func(a *asked) *fault {
		<-turn
		defer func() { turn <- struct{}{} }()
		if a.Method == http.MethodGet || cut.IntN(2) == 0 {
			return nil
		}
		days.seen["cut after"]++
		return &fault{Drop: true} // it is done, and Mooring does not know
	})

	// The busy time: people go on, at the pace of Gitea and of the days.
	over := time.After(lasts)
	pace := time.NewTicker(lasts / time.Duration(counts(12, 60)))
	defer pace.Stop()
	var pulls []*story
	open := true
	for i := 0; open || i < counts(9, 60); i++ {
		if i%3 == 0 && len(pulls) < counts(3, 12) {
			pulls = append(pulls, w.begin(len(pulls)))
		}
		pulls[i%len(pulls)].next()
		select {
		case <-over:
			open, over = false, nil
		case <-pace.C:
		}
	}
	_, before := w.proxy.requests(0)
	w.proxy.faults(nil, nil)
	for _, s := range pulls {
		for s.next() {
		}
	}
	want := map[*gitea.Pull]expected{}
	for _, s := range pulls {
		s.answerHeld()
		want[s.pull] = s.expected()
	}
	took := w.converged(time.Minute, want)
	for _, s := range pulls {
		if n := w.applied(s.value); n != s.applies() {
			t.Errorf("%s was applied %d times, want %d", s.value, n, s.applies())
		}
		s.reacted()
	}
	all, _ := w.proxy.requests(0)
	if early := tooEarly(all); len(early) > 0 {
		t.Errorf("%d requests came before the time that the forge had asked for, the first: %s %s", len(early), early[0].Method, early[0].Path)
	}
	api, worst := busiest(all[:before])
	t.Logf("%s of %v among %d requests (%d of the API, at most %d in a second); everything told %s after it", lasts, days.seen, before, api, worst, took.Round(time.Millisecond))
	if most := 40 * int(lasts/time.Second); api > most {
		t.Errorf("%d requests of the API in %s", api, lasts)
	}
}

// busiest counts the requests of the API, and those of the second that had most.
func busiest(all []asked) (n, worst int) {
	by := map[int64]int{}
	for _, a := range all {
		if !a.Git {
			n++
			by[a.At.Unix()]++
			worst = max(worst, by[a.At.Unix()])
		}
	}
	return n, worst
}

// story is what people do with one pull request.
type story struct {
	w         *world
	n, step   int
	pull      *gitea.Pull
	value     string // of the head
	help      gitea.Comment
	helped    bool
	merged    bool
	closed    bool
	answering int
}

func (w *world) begin(n int) *story {
	return &story{w: w, n: n}
}

// next does the next step and tells whether there is another.
func (s *story) next() bool {
	w, branch := s.w, fmt.Sprintf("s%d", s.n)
	write := func(v string) map[string]string {
		s.value = branch + " " + v
		return map[string]string{branch + "/main.tf": w.module(s.value)}
	}
	switch s.step {
	case 0:
		s.pull = w.propose(branch, write("one"))
	case 1:
		s.help, s.helped = s.pull.Comment(w.author, "mooring help"), true
		s.answering++
	case 2:
		head := w.repo.Push(w.author, branch, "Better", write("two"))
		s.pull.AwaitHead(head)
	case 3:
		s.pull.Approve(w.reviewer)
	case 4:
		switch s.n % 3 {
		case 0:
			s.pull.Merge(w.author, "squash")
			s.merged = true
		case 1:
			s.pull.Close(w.author)
			s.closed = true
		}
	default:
		return false
	}
	s.step++
	return true
}

// answerHeld is what people do where the last push was merged before Mooring could plan it: what is to be applied is not
// the plan that was reviewed, which Mooring shows and asks about.
func (s *story) answerHeld() {
	if !s.merged {
		return
	}
	w, report := s.w, ""
	w.await(time.Minute, "the merge of "+s.pull.Name()+" to be applied or asked about", func() string {
		report = strings.Join(reports(w.said(s.pull)), "\n")
		if strings.Contains(report, "pplied") || strings.Contains(report, "### Apply held") {
			return ""
		}
		return "its report says:\n" + report
	})
	if strings.Contains(report, "pplied") {
		return
	}
	for _, line := range []string{"The plan made now differs from the one that was reviewed:", fmt.Sprintf(`+     input  = "%s"`, s.value)} {
		if !strings.Contains(report, line) {
			w.t.Errorf("%s is held without %q:\n%s", s.pull.Name(), line, report)
		}
	}
	if n := w.applied(s.value); n != 0 {
		w.t.Errorf("%s is held and was applied %d times", s.value, n)
	}
	s.pull.Comment(w.reviewer, "mooring approve")
	s.answering++
}

func (s *story) applies() int {
	if s.merged {
		return 1
	}
	return 0
}

func (s *story) expected() expected {
	e := expected{report: []string{s.value}, answers: s.answering, status: map[string]string{"mooring/plan": "success", "mooring/policy": "success"}}
	switch {
	case s.merged:
		// Where it was merged before Mooring could see it, there was nothing to review: only the apply counts. What was
		// typed in one that ended before it could be heard is moot, and is answered once at the most.
		e.report, e.status = []string{"pplied"}, map[string]string{"mooring/apply": "success"}
	case s.closed:
		e.report, e.status = nil, map[string]string{"mooring/apply": "error"}
	}
	e.atMost, e.unseen = s.merged || s.closed, s.closed
	return e
}

// reacted sees that the command was seen once.
func (s *story) reacted() {
	s.w.t.Helper()
	if !s.helped {
		return
	}
	eyes := s.pull.Reactions(s.help)["eyes"]
	if len(eyes) == 0 && (s.merged || s.closed) {
		return
	}
	if len(eyes) != 1 || !strings.HasPrefix(eyes[0], "mooring") {
		s.w.t.Errorf("the command in %s was seen by %q", s.pull.Name(), eyes)
	}
}
