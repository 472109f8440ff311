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

const gitHubToken = "ghp_fakeFakeFake"

// fakeGitHub is a fake of GitHub Enterprise Server's REST API, version 2022-11-28.
type fakeGitHub struct {
	fakeAPI
	app       *fakeApp // nil takes gitHubToken
	remaining int
	untold    bool // the repository does not tell which ways of merging it allows
}

func newFakeGitHub(t *testing.T) *fakeGitHub {
	f := &fakeGitHub{fakeAPI: fakeAPI{fakeRepo: newFakeRepo(t)}, remaining: 5000}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.server = s.URL
	return f
}

func (f *fakeGitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	if f.broken != nil && f.broken(w, r) {
		return
	}
	if !strings.Contains(r.Header.Get("Accept"), "application/vnd.github.") {
		f.t.Errorf("%s %s: Accept %q", r.Method, r.URL.Path, r.Header.Get("Accept"))
	}
	if v := r.Header.Get("X-GitHub-Api-Version"); v != "2022-11-28" {
		f.t.Errorf("%s %s: X-GitHub-Api-Version %q", r.Method, r.URL.Path, v)
	}
	if r.UserAgent() == "" {
		http.Error(w, "Request forbidden by administrative rules.", http.StatusForbidden)
		return
	}
	f.remaining--
	w.Header().Set("X-RateLimit-Limit", "5000")
	w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(f.remaining))
	w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(f.clock().Unix()+3600, 10))
	w.Header().Set("X-RateLimit-Resource", "core")
	asApp := r.URL.Path == "/api/v3/app" || strings.HasPrefix(r.URL.Path, "/api/v3/app/") || strings.HasSuffix(r.URL.Path, "/installation")
	switch {
	case f.app != nil && asApp:
		if why := f.app.check(f, r); why != "" {
			f.fail(w, r, http.StatusUnauthorized, why)
			return
		}
	case f.app != nil && f.app.takes(f, r), f.app == nil && r.Header.Get("Authorization") == "Bearer "+gitHubToken:
	default:
		f.fail(w, r, http.StatusUnauthorized, "Bad credentials")
		return
	}
	f.mux().ServeHTTP(w, r)
}

func (f *fakeGitHub) mux() *http.ServeMux {
	mux := http.NewServeMux()
	on := func(pattern string, h http.HandlerFunc) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /api/v3"+path, func(w http.ResponseWriter, r *http.Request) {
			if owner, ok := r.PathValue("owner"), strings.Contains(pattern, "{owner}"); ok && owner+"/"+r.PathValue("repo") != "acme/infra" {
				f.fail(w, r, http.StatusNotFound, "Not Found")
				return
			}
			if method == "GET" {
				f.empty(r)
			}
			h(w, r)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		f.t.Errorf("GitHub has no %s %s", r.Method, r.URL.Path)
		f.fail(w, r, http.StatusNotFound, "Not Found")
	})
	f.peopleRoutes(on)
	f.appRoutes(on)
	const repo = "/repos/{owner}/{repo}"
	on("GET "+repo, func(w http.ResponseWriter, r *http.Request) {
		f.query(r)
		v := map[string]any{"id": 7, "full_name": "acme/infra"}
		if !f.untold {
			v["allow_merge_commit"], v["allow_squash_merge"], v["allow_rebase_merge"] = f.method == "merge", f.method != "rebase", true
		}
		f.answer(w, r, 200, v)
	})
	on("GET "+repo+"/pulls", f.listPulls)
	on("GET "+repo+"/pulls/{n}", f.withPull(func(w http.ResponseWriter, r *http.Request, p *fakePull) {
		f.query(r)
		f.answer(w, r, 200, f.pull(p, true))
	}))
	on("PUT "+repo+"/pulls/{n}/merge", f.withPull(f.mergePull))
	on("GET "+repo+"/pulls/{n}/reviews", f.withPull(f.listReviews))
	on("GET "+repo+"/commits/{sha}/pulls", f.commitPulls)
	on("GET "+repo+"/compare/{span}", f.compare)
	on("GET "+repo+"/issues/{n}/comments", f.withTalk(f.listComments))
	on("POST "+repo+"/issues/{n}/comments", f.withTalk(f.postComment))
	f.remedyRoutes(on)
	on("PATCH "+repo+"/issues/comments/{id}", f.patchComment)
	on("POST "+repo+"/issues/comments/{id}/reactions", f.postReaction)
	on("POST "+repo+"/statuses/{sha}", f.postStatus)
	return mux
}

// fail answers with a message, as GitHub does.
func (f *fakeGitHub) fail(w http.ResponseWriter, r *http.Request, status int, message string, errors ...any) {
	v := map[string]any{"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status)}
	if len(errors) > 0 {
		v["errors"] = errors
	}
	f.answer(w, r, status, v)
}

// list answers with a page and its Link.
func list[T any](f *fakeGitHub, w http.ResponseWriter, r *http.Request, all []T) {
	items, _, _, next := slice(&f.fakeAPI, r, all, 30)
	if next > 0 {
		last := next // the address of the last page is not read by anybody
		w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next", <%s>; rel="last"`, link(r, next), link(r, last)))
	}
	f.answer(w, r, 200, items)
}

func (f *fakeGitHub) withPull(h func(http.ResponseWriter, *http.Request, *fakePull)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := f.pulls[f.number(r, r.PathValue("n"))]
		if p == nil {
			f.fail(w, r, http.StatusNotFound, "Not Found")
			return
		}
		h(w, r, p)
	}
}

func (f *fakeGitHub) pull(p *fakePull, whole bool) map[string]any {
	here := map[string]any{"id": 7, "full_name": "acme/infra"}
	head := here
	if p.fork {
		head = map[string]any{"id": 8, "full_name": "outsider/infra"}
	}
	if p.forkGone {
		head = nil
	}
	if p.elsewhere {
		here = map[string]any{"id": 6, "full_name": "upstream/infra"}
	}
	labels := []any{}
	for _, l := range p.labels {
		labels = append(labels, map[string]any{"id": 1, "name": l})
	}
	v := map[string]any{
		"number": p.number, "title": p.title, "html_url": fmt.Sprintf("%s/acme/infra/pull/%d", f.server, p.number),
		"state": "open", "draft": p.draft, "labels": labels, "user": f.person(p.author),
		"head":       map[string]any{"sha": p.head, "ref": p.ref, "repo": head},
		"base":       map[string]any{"sha": f.branches[p.base][0], "ref": p.base, "repo": here},
		"updated_at": p.updated, "merged_at": nil, "merge_commit_sha": strings.Repeat("7e57", 10), // a merge that was tried
	}
	if p.state != Open {
		v["state"] = "closed"
	}
	if p.state == Merged {
		v["merged_at"], v["merge_commit_sha"] = p.updated, p.brought[len(p.brought)-1]
	}
	if whole {
		v["merged"] = p.state == Merged
		v["mergeable"] = map[Answer]any{Unknown: nil, Yes: true, No: false}[p.mergeable]
		v["mergeable_state"] = "unknown"
	}
	return v
}

func (f *fakeGitHub) listPulls(w http.ResponseWriter, r *http.Request) {
	q := f.query(r, "state", "sort", "direction", "page", "per_page")
	if q.Get("state") != "open" || q.Get("sort") != "created" || q.Get("direction") != "asc" {
		f.t.Errorf("the fake lists open pull requests by age, asked for %q", r.URL.RawQuery)
	}
	all := []any{}
	for _, p := range f.sortedPulls() {
		if p.state == Open {
			all = append(all, f.pull(p, false))
		}
	}
	list(f, w, r, all)
}

func (f *fakeGitHub) mergePull(w http.ResponseWriter, r *http.Request, p *fakePull) {
	var body struct {
		SHA    string `json:"sha"`
		Method string `json:"merge_method"`
	}
	f.read(r, &body)
	if body.Method == "" {
		body.Method = "merge"
	}
	if !slices.Contains([]string{"merge", "squash", "rebase"}, body.Method) {
		f.fail(w, r, http.StatusUnprocessableEntity, "Invalid request.")
		return
	}
	switch {
	case f.users[f.bot].permission < Write:
		f.fail(w, r, http.StatusForbidden, "Resource not accessible by personal access token")
	case p.state != Open || p.draft || p.mergeable == No:
		f.fail(w, r, http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	case f.method != "merge" && body.Method == "merge":
		f.fail(w, r, http.StatusMethodNotAllowed, "Merge commits are not allowed on this repository.")
	case body.SHA != p.head:
		f.fail(w, r, http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	default:
		f.fakeRepo.merge(p, body.Method)
		f.answer(w, r, 200, map[string]any{"sha": p.brought[len(p.brought)-1], "merged": true, "message": "Pull Request successfully merged"})
	}
}

func (f *fakeGitHub) listReviews(w http.ResponseWriter, r *http.Request, p *fakePull) {
	f.query(r, "page", "per_page")
	all := []any{}
	for _, v := range p.reviews {
		state := map[Verdict]string{Approved: "APPROVED", ChangesRequested: "CHANGES_REQUESTED", Dismissed: "DISMISSED", "": "COMMENTED"}[v.verdict]
		all = append(all, map[string]any{"id": v.id, "user": f.person(v.by), "state": state, "commit_id": v.commit, "submitted_at": v.at, "body": ""})
	}
	list(f, w, r, all)
}

// commitPulls is generous: it also lists open ones that hold the commit, and those
// that were squashed away.
func (f *fakeGitHub) commitPulls(w http.ResponseWriter, r *http.Request) {
	f.query(r, "page", "per_page")
	sha := r.PathValue("sha")
	if !f.commits[sha] {
		f.fail(w, r, http.StatusUnprocessableEntity, "No commit found for SHA: "+sha)
		return
	}
	all := []any{}
	for _, p := range f.sortedPulls() {
		if slices.Contains(p.commits, sha) || slices.Contains(p.brought, sha) {
			all = append(all, f.pull(p, false))
		}
	}
	list(f, w, r, all)
}

// compare knows of main alone.
func (f *fakeGitHub) compare(w http.ResponseWriter, r *http.Request) {
	f.query(r, "page", "per_page")
	from, to, _ := strings.Cut(r.PathValue("span"), "...")
	status := "diverged"
	if i, j := slices.Index(f.branches["main"], from), slices.Index(f.branches["main"], to); i >= 0 && i < j {
		status = "ahead"
	}
	f.answer(w, r, 200, map[string]any{"status": status, "commits": []any{}, "files": []any{}})
}

func (f *fakeGitHub) comment(c *fakeComment) map[string]any {
	return map[string]any{"id": c.id, "user": f.person(c.by), "body": c.body, "created_at": c.at, "updated_at": c.at}
}

func (f *fakeGitHub) listComments(w http.ResponseWriter, r *http.Request, p *fakePull) {
	f.query(r, "since", "page", "per_page")
	all := []any{}
	for _, c := range p.comments {
		if !c.system && !c.diff {
			all = append(all, f.comment(c))
		}
	}
	list(f, w, r, all)
}

// body reads a comment's body; it is false where GitHub would not take it.
func (f *fakeGitHub) body(w http.ResponseWriter, r *http.Request) (string, bool) {
	var body struct {
		Body string `json:"body"`
	}
	f.read(r, &body)
	if body.Body == "" || utf8.RuneCountInString(body.Body) > 65536 {
		f.fail(w, r, http.StatusUnprocessableEntity, "Validation Failed",
			map[string]any{"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": "Body is too long (maximum is 65536 characters)"})
		return "", false
	}
	return body.Body, true
}

func (f *fakeGitHub) postComment(w http.ResponseWriter, r *http.Request, p *fakePull) {
	if body, ok := f.body(w, r); ok {
		f.answer(w, r, http.StatusCreated, f.comment(f.say(p, f.bot, body)))
	}
}

func (f *fakeGitHub) patchComment(w http.ResponseWriter, r *http.Request) {
	_, c := f.fakeRepo.comment(int64(f.number(r, r.PathValue("id"))))
	if c == nil {
		f.fail(w, r, http.StatusNotFound, "Not Found")
		return
	}
	if body, ok := f.body(w, r); ok {
		c.body = body
		f.answer(w, r, 200, f.comment(c))
	}
}

func (f *fakeGitHub) postReaction(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Content string `json:"content"`
	}
	f.read(r, &body)
	_, c := f.fakeRepo.comment(int64(f.number(r, r.PathValue("id"))))
	switch {
	case c == nil:
		f.fail(w, r, http.StatusNotFound, "Not Found")
		return
	case !slices.Contains([]string{"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"}, body.Content):
		f.fail(w, r, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	status := http.StatusOK // it was there
	if !slices.Contains(c.reactions[body.Content], f.bot) {
		c.reactions[body.Content] = append(c.reactions[body.Content], f.bot)
		status = http.StatusCreated
	}
	f.answer(w, r, status, map[string]any{"id": 1, "content": body.Content, "user": f.person(f.bot)})
}

func (f *fakeGitHub) postStatus(w http.ResponseWriter, r *http.Request) {
	var body struct {
		State       string `json:"state"`
		TargetURL   string `json:"target_url"`
		Description string `json:"description"`
		Context     string `json:"context"`
	}
	f.read(r, &body)
	sha := r.PathValue("sha")
	switch {
	case !f.commits[sha]:
		f.fail(w, r, http.StatusUnprocessableEntity, "No commit found for SHA: "+sha)
		return
	case !slices.Contains([]string{"error", "failure", "pending", "success"}, body.State):
		f.fail(w, r, http.StatusUnprocessableEntity, "Validation Failed", map[string]any{"field": "state", "code": "custom", "message": "State is not included in the list"})
		return
	case utf8.RuneCountInString(body.Description) > 140:
		f.fail(w, r, http.StatusUnprocessableEntity, "Validation Failed", map[string]any{"field": "description", "code": "custom", "message": "description is too long (maximum is 140 characters)"})
		return
	case body.TargetURL != "" && !strings.HasPrefix(body.TargetURL, "http"):
		f.fail(w, r, http.StatusUnprocessableEntity, "Validation Failed", map[string]any{"field": "target_url", "code": "custom", "message": "target_url must use http(s) scheme"})
		return
	}
	f.statuses = append(f.statuses, fakeStatus{commit: sha, context: body.Context, state: body.State, description: body.Description, url: body.TargetURL})
	f.answer(w, r, http.StatusCreated, map[string]any{"id": len(f.statuses), "state": body.State, "context": body.Context})
}
