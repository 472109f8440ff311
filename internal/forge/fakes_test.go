package forge

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// What stands here and in fake_*_test.go are fakes: HTTP servers that answer as
// GitHub's and GitLab's APIs would, over one small repository in memory. They are
// stricter than the real ones: a request that those would answer while ignoring a
// part of it fails the test.

// fakeRepo is a repository and the people around it. Its methods are what people
// do; mu guards everything.
type fakeRepo struct {
	t  *testing.T
	mu sync.Mutex

	now     time.Time        // when the last thing happened
	clock   func() time.Time // what tokens and limits go by
	serial  int64
	bot     int64
	users   map[int64]*fakeUser
	teams   map[string][]int64 // org/team → user ids
	pulls   map[int]*fakePull
	commits map[string]bool
	// branches of the repository itself; a fork's head is on none.
	branches map[string][]string
	method   string // by which the repository merges when nothing is said: merge, squash, rebase
	statuses []fakeStatus
	issues   map[int]*fakeIssue
	made     map[string]*fakeCommit // those that hold files of their own; every other commit has what main began with
}

type fakeUser struct {
	id         int64
	login      string
	permission Permission
	blocked    bool
}

type fakePull struct {
	number         int
	title, body    string
	author         int64
	head, ref      string
	base           string
	fork, forkGone bool
	elsewhere      bool // it is of the repository that this one was forked from
	draft          bool
	labels         []string
	state          State
	mergeable      Answer
	updated        time.Time
	commits        []string // of the head, oldest first
	versions       []fakeVersion
	reviews        []*fakeReview
	comments       []*fakeComment
	brought        []string // commits on the base that the merge made, the last is the newest
	way            string   // how it was merged
}

type fakeVersion struct {
	id   int64
	head string
	at   time.Time
}

type fakeReview struct {
	id      int64
	by      int64
	verdict Verdict // "" is a comment
	commit  string
	at      time.Time
}

type fakeComment struct {
	id        int64
	by        int64
	body      string
	at        time.Time
	system    bool // GitLab's own notes
	diff      bool // on a line of the diff
	reactions map[string][]int64
}

type fakeStatus struct {
	commit, context, state, description, url, ref string
	pipeline                                      int64
}

func newFakeRepo(t *testing.T) *fakeRepo {
	r := &fakeRepo{
		t:        t,
		now:      time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC),
		clock:    time.Now,
		users:    map[int64]*fakeUser{},
		teams:    map[string][]int64{},
		pulls:    map[int]*fakePull{},
		commits:  map[string]bool{},
		branches: map[string][]string{},
		method:   "merge",
		issues:   map[int]*fakeIssue{},
		made:     map[string]*fakeCommit{},
	}
	r.bot = r.user("mooring", Admin)
	r.branches["main"] = []string{r.newCommit()}
	return r
}

func (r *fakeRepo) next() int64 {
	r.serial++
	r.now = r.now.Add(time.Second) // nothing happens at the same time
	return r.serial
}

func (r *fakeRepo) newCommit() string {
	sum := sha1.Sum([]byte(strconv.FormatInt(r.next(), 10)))
	commit := hex.EncodeToString(sum[:])
	r.commits[commit] = true
	return commit
}

func (r *fakeRepo) locked(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
}

func (r *fakeRepo) user(login string, p Permission) int64 {
	id := 1000 + r.next()
	r.users[id] = &fakeUser{id: id, login: login, permission: p}
	return id
}

func (r *fakeRepo) byLogin(login string) *fakeUser {
	for _, u := range r.users {
		if strings.EqualFold(u.login, login) {
			return u
		}
	}
	return nil
}

// open opens a pull request of so many commits.
func (r *fakeRepo) open(author int64, commits int) *fakePull {
	n := r.number()
	p := &fakePull{
		number: n, title: fmt.Sprintf("Change %d", n), author: author, ref: fmt.Sprintf("feature-%d", n),
		base: "main", state: Open, mergeable: Yes,
	}
	r.pulls[n] = p
	for range commits {
		p.commits = append(p.commits, r.newCommit())
	}
	r.moved(p)
	return p
}

// push adds a commit to the head.
func (r *fakeRepo) push(p *fakePull) {
	p.commits = append(p.commits, r.newCommit())
	r.moved(p)
}

func (r *fakeRepo) moved(p *fakePull) {
	p.head = p.commits[len(p.commits)-1]
	id := r.next()
	p.versions = append(p.versions, fakeVersion{id: id, head: p.head, at: r.now})
	p.updated = r.now
	if !p.fork {
		r.branches[p.ref] = slices.Clone(p.commits)
	}
}

func (r *fakeRepo) review(p *fakePull, by int64, v Verdict) *fakeReview {
	review := &fakeReview{id: r.next(), by: by, verdict: v, commit: p.head, at: r.now}
	p.reviews = append(p.reviews, review)
	return review
}

func (r *fakeRepo) say(p *fakePull, by int64, body string) *fakeComment {
	c := &fakeComment{id: r.next(), by: by, body: body, at: r.now, reactions: map[string][]int64{}}
	p.comments = append(p.comments, c)
	return c
}

func (r *fakeRepo) comment(id int64) (*fakePull, *fakeComment) {
	for _, p := range r.pulls {
		for _, c := range p.comments {
			if c.id == id {
				return p, c
			}
		}
	}
	return nil, nil
}

func (r *fakeRepo) remove(p *fakePull, c *fakeComment) {
	p.comments = slices.DeleteFunc(p.comments, func(other *fakeComment) bool { return other == c })
}

// merge does what the forge's button does.
func (r *fakeRepo) merge(p *fakePull, way string) {
	p.way, p.state = way, Merged
	switch way {
	case "squash":
		p.brought = []string{r.newCommit()}
	case "rebase":
		for range p.commits {
			p.brought = append(p.brought, r.newCommit())
		}
	case "ff": // GitLab's: the head itself
		p.brought = slices.Clone(p.commits)
	default:
		p.brought = append(slices.Clone(p.commits), r.newCommit())
	}
	r.branches[p.base] = append(r.branches[p.base], p.brought...)
	p.updated = r.now
}

// fakeAPI is what the two servers have in common.
type fakeAPI struct {
	*fakeRepo
	server   string // its address
	requests []string
	fresh    int // answers that were no 304
	// broken answers instead, where it returns true.
	broken func(w http.ResponseWriter, r *http.Request) bool
}

// query fails the test where a request says more than the endpoint reads.
func (f *fakeAPI) query(r *http.Request, known ...string) url.Values {
	for name := range r.URL.Query() {
		if !slices.Contains(known, name) {
			f.t.Errorf("%s %s: unknown parameter %s", r.Method, r.URL.Path, name)
		}
	}
	return r.URL.Query()
}

// read decodes a body, all of whose fields the endpoint must know.
func (f *fakeAPI) read(r *http.Request, into any) {
	if got := r.Header.Get("Content-Type"); got != "application/json" {
		f.t.Errorf("%s %s: Content-Type %q", r.Method, r.URL.Path, got)
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		f.t.Errorf("%s %s: body: %v", r.Method, r.URL.Path, err)
	}
}

// empty fails the test where a request has a body that the endpoint does not read.
func (f *fakeAPI) empty(r *http.Request) {
	if b, err := io.ReadAll(r.Body); err != nil || len(b) > 0 {
		f.t.Errorf("%s %s: unexpected body %q, %v", r.Method, r.URL.Path, b, err)
	}
}

// answer writes JSON, or 304 where the client has it.
func (f *fakeAPI) answer(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		f.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if r.Method == http.MethodGet && status == http.StatusOK {
		sum := sha256.Sum256(append(body, w.Header().Get("Link")...))
		tag := `W/"` + hex.EncodeToString(sum[:16]) + `"`
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	f.fresh++
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// slice is one page of a list, and the number of the next page, 0 after the last.
func slice[T any](f *fakeAPI, r *http.Request, all []T, standard int) (items []T, at, per, next int) {
	q := r.URL.Query()
	at, per = 1, standard
	if s := q.Get("page"); s != "" {
		at = f.number(r, s)
	}
	if s := q.Get("per_page"); s != "" {
		if per = f.number(r, s); per > 100 {
			f.t.Errorf("%s: per_page %d is above 100", r.URL.Path, per)
		}
	}
	from, to := min((at-1)*per, len(all)), min(at*per, len(all))
	if to < len(all) {
		next = at + 1
	}
	return append([]T{}, all[from:to]...), at, per, next // never null
}

func (f *fakeAPI) number(r *http.Request, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n <= 0 {
		f.t.Errorf("%s %s: %q is no positive number", r.Method, r.URL.Path, s)
		return 1
	}
	return n
}

// link is the address of another page of the same list.
func link(r *http.Request, page int) string {
	u := *r.URL
	q := u.Query()
	q.Set("page", strconv.Itoa(page))
	u.Scheme, u.Host, u.RawQuery = "http", r.Host, q.Encode()
	return u.String()
}

func (r *fakeRepo) sortedPulls() []*fakePull {
	var all []*fakePull
	for _, n := range slices.Sorted(maps.Keys(r.pulls)) {
		all = append(all, r.pulls[n])
	}
	return all
}

// seen counts requests of a method to an address that ends so.
func (f *fakeAPI) seen(method, suffix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.requests {
		if strings.HasPrefix(r, method+" ") && strings.HasSuffix(r, suffix) {
			n++
		}
	}
	return n
}
