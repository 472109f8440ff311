package forge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	gitLabToken   = "glpat-fakeFakeFake"
	gitLabProject = "acme/platform/infra"
)

// fakeGitLab is a fake of GitLab's REST API, version 4, of an instance that lives
// below /gitlab/.
type fakeGitLab struct {
	fakeAPI
	undated   bool // approvals are without a time, as before 18.0
	ff        bool // the project merges without merge commits
	pipelines []*fakePipeline
	async     bool   // a merge goes on after the answer
	fails     string // why a merge that was begun fails
}

type fakePipeline struct {
	id       int64
	sha, ref string
	jobs     []*fakeStatus
}

func newFakeGitLab(t *testing.T) *fakeGitLab {
	f := &fakeGitLab{fakeAPI: fakeAPI{fakeRepo: newFakeRepo(t)}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.server = s.URL + "/gitlab"
	return f
}

func (f *fakeGitLab) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	if f.broken != nil && f.broken(w, r) {
		return
	}
	if got := r.Header.Get("Accept"); got != "application/json" {
		f.t.Errorf("%s %s: Accept %q", r.Method, r.URL.Path, got)
	}
	w.Header().Set("RateLimit-Limit", "2000")
	w.Header().Set("RateLimit-Remaining", "1999")
	w.Header().Set("RateLimit-Reset", strconv.FormatInt(f.clock().Unix()+60, 10))
	if r.Header.Get("PRIVATE-TOKEN") != gitLabToken || r.Header.Get("Authorization") != "" {
		f.fail(w, r, http.StatusUnauthorized, "401 Unauthorized")
		return
	}
	f.mux().ServeHTTP(w, r)
}

func (f *fakeGitLab) mux() *http.ServeMux {
	mux := http.NewServeMux()
	on := func(pattern string, h http.HandlerFunc) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /gitlab/api/v4"+path, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(path, "/projects/{id}") && r.PathValue("id") != gitLabProject {
				f.fail(w, r, http.StatusNotFound, "404 Project Not Found")
				return
			}
			if method == "GET" {
				f.empty(r)
			}
			h(w, r)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		f.t.Errorf("GitLab has no %s %s", r.Method, r.URL.Path)
		f.fail(w, r, http.StatusNotFound, "404 Not Found")
	})
	f.peopleRoutes(on)
	const mr = "/projects/{id}/merge_requests/{iid}"
	on("GET /projects/{id}", func(w http.ResponseWriter, r *http.Request) {
		f.query(r)
		f.answer(w, r, 200, map[string]any{"id": 7, "path_with_namespace": gitLabProject, "merge_method": f.mergeMethod()})
	})
	on("GET /projects/{id}/merge_requests", f.listPulls)
	on("GET "+mr, f.withPull(func(w http.ResponseWriter, r *http.Request, p *fakePull) {
		f.query(r)
		f.answer(w, r, 200, f.pull(p))
	}))
	on("PUT "+mr+"/merge", f.withPull(f.mergePull))
	on("GET "+mr+"/approvals", f.withPull(f.approvals))
	on("GET "+mr+"/reviewers", f.withPull(f.reviewers))
	on("GET "+mr+"/versions", f.withPull(f.listVersions))
	on("GET "+mr+"/notes", f.withPull(f.listNotes))
	on("POST "+mr+"/notes", f.withPull(f.postNote))
	on("PUT "+mr+"/notes/{note}", f.withPull(f.putNote))
	on("POST "+mr+"/notes/{note}/award_emoji", f.withPull(f.postEmoji))
	on("GET /projects/{id}/repository/commits/{sha}/merge_requests", f.commitPulls)
	on("POST /projects/{id}/statuses/{sha}", f.postStatus)
	f.remedyRoutes(on)
	return mux
}

func (f *fakeGitLab) mergeMethod() string {
	if f.ff {
		return "ff"
	}
	return "merge"
}

func (f *fakeGitLab) fail(w http.ResponseWriter, r *http.Request, status int, message any) {
	f.answer(w, r, status, map[string]any{"message": message})
}

// pages answers with a page and the headers that tell of others.
func pages[T any](f *fakeGitLab, w http.ResponseWriter, r *http.Request, all []T) {
	items, at, per, next := slice(&f.fakeAPI, r, all, 20)
	w.Header().Set("X-Page", strconv.Itoa(at))
	w.Header().Set("X-Per-Page", strconv.Itoa(per))
	w.Header().Set("X-Next-Page", "")
	if next > 0 {
		w.Header().Set("X-Next-Page", strconv.Itoa(next))
		w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next", <%s>; rel="first"`, link(r, next), link(r, 1)))
	}
	f.answer(w, r, 200, items)
}

func (f *fakeGitLab) withPull(h func(http.ResponseWriter, *http.Request, *fakePull)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := f.pulls[f.number(r, r.PathValue("iid"))]
		if p == nil {
			f.fail(w, r, http.StatusNotFound, "404 Not found")
			return
		}
		h(w, r, p)
	}
}

func (f *fakeGitLab) pull(p *fakePull) map[string]any {
	source := any(7)
	if p.fork {
		source = 8
	}
	if p.forkGone {
		source = nil
	}
	v := map[string]any{
		"id": 100000 + p.number, "iid": p.number, "project_id": 7, "title": p.title, "author": f.person(p.author),
		"web_url": fmt.Sprintf("%s/%s/-/merge_requests/%d", f.server, gitLabProject, p.number),
		"state":   map[State]string{Open: "opened", Closed: "closed", Merged: "merged"}[p.state],
		"draft":   p.draft, "work_in_progress": p.draft, "labels": append([]string{}, p.labels...),
		"sha": p.head, "source_branch": p.ref, "target_branch": p.base, "source_project_id": source, "target_project_id": 7,
		"updated_at": p.updated, "merge_commit_sha": nil, "squash_commit_sha": nil,
		"has_conflicts": p.mergeable == No, "detailed_merge_status": f.mergeStatus(p), "merge_error": nil,
	}
	if p.state == Merged {
		tip := p.brought[len(p.brought)-1]
		switch p.way {
		case "squash":
			v["squash_commit_sha"], v["merge_commit_sha"] = p.brought[0], tip
			if f.ff {
				v["merge_commit_sha"] = nil
			}
		case "merge":
			v["merge_commit_sha"] = tip
		}
	}
	return v
}

func (f *fakeGitLab) mergeStatus(p *fakePull) string {
	switch {
	case p.state != Open:
		return "not_open"
	case p.draft:
		return "draft_status"
	case p.mergeable == No:
		return "conflict"
	case p.mergeable == Unknown:
		return "checking"
	}
	return "mergeable"
}

func (f *fakeGitLab) listPulls(w http.ResponseWriter, r *http.Request) {
	q := f.query(r, "state", "order_by", "sort", "page", "per_page")
	if q.Get("state") != "opened" || q.Get("order_by") != "created_at" || q.Get("sort") != "asc" {
		f.t.Errorf("the fake lists open merge requests by age, asked for %q", r.URL.RawQuery)
	}
	all := []any{}
	for _, p := range f.sortedPulls() {
		if p.state == Open {
			v := f.pull(p)
			delete(v, "merge_error") // only where one is asked for
			all = append(all, v)
		}
	}
	pages(f, w, r, all)
}

// mergePull looks in the order that GitLab looks.
func (f *fakeGitLab) mergePull(w http.ResponseWriter, r *http.Request, p *fakePull) {
	var body struct {
		SHA    string `json:"sha"`
		Squash *bool  `json:"squash"`
	}
	f.read(r, &body)
	switch {
	case f.users[f.bot].permission < Write:
		f.fail(w, r, http.StatusUnauthorized, "401 Unauthorized")
		return
	case p.state != Open || p.draft:
		f.fail(w, r, http.StatusMethodNotAllowed, "405 Method Not Allowed")
		return
	case p.mergeable == No:
		f.fail(w, r, http.StatusUnprocessableEntity, "Branch cannot be merged")
		return
	case body.SHA != p.head:
		f.fail(w, r, http.StatusConflict, "SHA does not match HEAD of source branch: "+p.head)
		return
	}
	v := f.pull(p)
	switch {
	case f.fails != "":
		v["merge_error"] = f.fails
	case f.async:
		v["state"] = "locked"
	default:
		f.mergeBy(p, body.Squash != nil && *body.Squash)
		v = f.pull(p)
	}
	f.answer(w, r, 200, v)
}

func (f *fakeGitLab) mergeBy(p *fakePull, squash bool) {
	switch {
	case squash:
		f.fakeRepo.merge(p, "squash")
		if !f.ff { // a merge commit above the squash
			tip := f.newCommit()
			p.brought = append(p.brought, tip)
			f.branches[p.base] = append(f.branches[p.base], tip)
		}
	case f.ff:
		f.fakeRepo.merge(p, "ff")
	default:
		f.fakeRepo.merge(p, "merge")
	}
}

// commitPulls finds by a commit of the newest version, of the squash, of the merge.
func (f *fakeGitLab) commitPulls(w http.ResponseWriter, r *http.Request) {
	f.query(r, "page", "per_page", "state")
	sha := r.PathValue("sha")
	if !f.commits[sha] {
		f.fail(w, r, http.StatusNotFound, "404 Commit Not Found")
		return
	}
	all := []any{}
	for _, p := range f.sortedPulls() {
		if slices.Contains(p.commits, sha) || slices.Contains(p.brought, sha) {
			all = append(all, f.pull(p))
		}
	}
	pages(f, w, r, all)
}

func (f *fakeGitLab) note(c *fakeComment) map[string]any {
	v := map[string]any{"id": c.id, "author": f.person(c.by), "body": c.body, "system": c.system, "created_at": c.at, "type": nil}
	if c.diff {
		v["type"] = "DiffNote"
	}
	return v
}

func (f *fakeGitLab) listNotes(w http.ResponseWriter, r *http.Request, p *fakePull) {
	q := f.query(r, "order_by", "sort", "page", "per_page")
	if q.Get("sort") != "asc" {
		f.t.Errorf("the fake lists notes oldest first, asked for %q", r.URL.RawQuery)
	}
	all := []any{}
	for _, c := range p.comments {
		all = append(all, f.note(c))
	}
	pages(f, w, r, all)
}

func (f *fakeGitLab) body(w http.ResponseWriter, r *http.Request) (string, bool) {
	var body struct {
		Body string `json:"body"`
	}
	f.read(r, &body)
	if utf8.RuneCountInString(body.Body) > 1_000_000 {
		f.fail(w, r, http.StatusBadRequest, map[string]any{"note": []string{"is too long (maximum is 1000000 characters)"}})
		return "", false
	}
	return body.Body, true
}

func (f *fakeGitLab) postNote(w http.ResponseWriter, r *http.Request, p *fakePull) {
	if body, ok := f.body(w, r); ok {
		f.answer(w, r, http.StatusCreated, f.note(f.say(p, f.bot, body)))
	}
}

// noteOf is a note of this merge request and no other.
func (f *fakeGitLab) noteOf(w http.ResponseWriter, r *http.Request, p *fakePull, missing string) *fakeComment {
	if on, c := f.fakeRepo.comment(int64(f.number(r, r.PathValue("note")))); on == p {
		return c
	}
	f.fail(w, r, http.StatusNotFound, missing)
	return nil
}

func (f *fakeGitLab) putNote(w http.ResponseWriter, r *http.Request, p *fakePull) {
	if c := f.noteOf(w, r, p, "404 Not found"); c != nil {
		if body, ok := f.body(w, r); ok {
			c.body = body
			f.answer(w, r, 200, f.note(c))
		}
	}
}

func (f *fakeGitLab) postEmoji(w http.ResponseWriter, r *http.Request, p *fakePull) {
	var body struct {
		Name string `json:"name"`
	}
	f.read(r, &body)
	c := f.noteOf(w, r, p, "404 Not found")
	switch {
	case c == nil:
	case !slices.Contains([]string{"eyes", "confused"}, body.Name): // of the many that there are
		f.fail(w, r, http.StatusNotFound, "404 Award Emoji Name is not a valid emoji name Not Found")
	case slices.Contains(c.reactions[body.Name], f.bot):
		f.fail(w, r, http.StatusNotFound, "404 Award Emoji Name has already been taken Not Found")
	default:
		c.reactions[body.Name] = append(c.reactions[body.Name], f.bot)
		f.answer(w, r, http.StatusCreated, map[string]any{"id": 1, "name": body.Name, "user": f.person(f.bot)})
	}
}
