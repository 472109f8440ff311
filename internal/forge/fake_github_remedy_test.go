package forge

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strings"
)

func (f *fakeGitHub) remedyRoutes(on func(string, http.HandlerFunc)) {
	const repo = "/repos/{owner}/{repo}"
	on("GET "+repo+"/issues", f.listIssues)
	on("POST "+repo+"/issues", f.postIssue)
	on("GET "+repo+"/issues/{n}", f.withIssue(func(w http.ResponseWriter, r *http.Request, i *fakeIssue) {
		f.query(r)
		f.answer(w, r, 200, f.issue(i))
	}))
	on("PATCH "+repo+"/issues/{n}", f.withIssue(f.patchIssue))
	on("POST "+repo+"/issues/{n}/labels", f.withPull(f.postLabels))
	on("GET "+repo+"/git/commits/{sha}", func(w http.ResponseWriter, r *http.Request) {
		f.query(r)
		if !f.commits[r.PathValue("sha")] {
			f.fail(w, r, http.StatusNotFound, "Not Found")
			return
		}
		f.answer(w, r, 200, map[string]any{"sha": r.PathValue("sha"), "tree": map[string]any{"sha": "tree-" + r.PathValue("sha")}})
	})
	on("POST "+repo+"/git/blobs", f.postBlob)
	on("POST "+repo+"/git/trees", f.postTree)
	on("POST "+repo+"/git/commits", f.postCommit)
	on("POST "+repo+"/git/refs", f.postRef)
	on("PATCH "+repo+"/git/refs/heads/{branch...}", f.patchRef)
	on("DELETE "+repo+"/git/refs/heads/{branch...}", func(w http.ResponseWriter, r *http.Request) {
		f.empty(r)
		if f.branches[r.PathValue("branch")] == nil {
			f.fail(w, r, http.StatusUnprocessableEntity, "Reference does not exist")
			return
		}
		f.drop(r.PathValue("branch"))
		w.WriteHeader(http.StatusNoContent)
	})
	on("POST "+repo+"/pulls", f.postPull)
	on("PATCH "+repo+"/pulls/{n}", f.withPull(f.patchPull))
}

// withTalk is the conversation of an issue or of a pull request.
func (f *fakeGitHub) withTalk(h func(http.ResponseWriter, *http.Request, *fakePull)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if i := f.issues[f.fakeAPI.number(r, r.PathValue("n"))]; i != nil {
			h(w, r, i.talk)
			return
		}
		f.withPull(h)(w, r)
	}
}

func (f *fakeGitHub) withIssue(h func(http.ResponseWriter, *http.Request, *fakeIssue)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n := f.fakeAPI.number(r, r.PathValue("n"))
		i := f.issues[n]
		if p := f.pulls[n]; p != nil && r.Method == "GET" { // which are issues too
			i = &fakeIssue{number: n, title: p.title, author: p.author, state: p.state}
			v := f.issue(i)
			v["pull_request"] = map[string]any{"url": f.server}
			f.answer(w, r, 200, v)
			return
		}
		if i == nil {
			f.fail(w, r, http.StatusNotFound, "Not Found")
			return
		}
		h(w, r, i)
	}
}

func (f *fakeGitHub) issue(i *fakeIssue) map[string]any {
	labels := []any{}
	for _, l := range i.labels {
		labels = append(labels, map[string]any{"id": 1, "name": l})
	}
	state := "open"
	if i.state != Open {
		state = "closed"
	}
	return map[string]any{
		"number": i.number, "title": i.title, "body": i.body, "state": state, "labels": labels, "user": f.person(i.author),
		"html_url": fmt.Sprintf("%s/acme/infra/issues/%d", f.server, i.number),
	}
}

// listIssues lists pull requests too, as GitHub does.
func (f *fakeGitHub) listIssues(w http.ResponseWriter, r *http.Request) {
	q := f.query(r, "state", "creator", "sort", "direction", "page", "per_page")
	who := f.byLogin(q.Get("creator"))
	if q.Get("state") != "open" || q.Get("sort") != "created" || q.Get("direction") != "asc" || who == nil {
		f.t.Errorf("the fake lists one person's open issues by age, asked for %q", r.URL.RawQuery)
		return
	}
	all := []any{}
	for _, i := range f.sortedIssues(who.id) {
		all = append(all, f.issue(i))
	}
	for _, p := range f.sortedPulls() {
		if p.state == Open && p.author == who.id {
			v := f.issue(&fakeIssue{number: p.number, title: p.title, body: p.body, author: p.author, state: Open})
			v["pull_request"] = map[string]any{"url": f.server}
			all = append(all, v)
		}
	}
	list(f, w, r, all)
}

func (f *fakeGitHub) postIssue(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Title  string   `json:"title"`
		Body   string   `json:"body"`
		Labels []string `json:"labels"`
	}
	f.read(r, &body)
	if body.Title == "" || len([]rune(body.Title)) > 256 {
		f.fail(w, r, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	f.answer(w, r, http.StatusCreated, f.issue(f.openIssue(f.bot, body.Title, body.Body, body.Labels)))
}

func (f *fakeGitHub) patchIssue(w http.ResponseWriter, r *http.Request, i *fakeIssue) {
	var body struct {
		Title  *string `json:"title"`
		Body   *string `json:"body"`
		State  *string `json:"state"`
		Reason *string `json:"state_reason"`
	}
	f.read(r, &body)
	if body.Title != nil {
		i.title = *body.Title
	}
	if body.Body != nil {
		i.body = *body.Body
	}
	if body.State != nil {
		if *body.State != "closed" || body.Reason == nil || *body.Reason != "completed" {
			f.t.Errorf("state %q", *body.State)
		}
		i.state = Closed
	}
	f.answer(w, r, 200, f.issue(i))
}

func (f *fakeGitHub) postLabels(w http.ResponseWriter, r *http.Request, p *fakePull) {
	var body []string
	f.read(r, &body)
	p.labels = append(p.labels, body...)
	all := []any{}
	for _, l := range p.labels {
		all = append(all, map[string]any{"id": 1, "name": l})
	}
	f.answer(w, r, 200, all)
}

func (f *fakeGitHub) postBlob(w http.ResponseWriter, r *http.Request) {
	var body struct{ Content, Encoding string }
	f.read(r, &body)
	content, err := base64.StdEncoding.DecodeString(body.Content)
	if err != nil || body.Encoding != "base64" {
		f.t.Errorf("a blob in %q: %v", body.Encoding, err)
	}
	sha := "blob-" + f.newCommit()
	f.made[sha] = &fakeCommit{files: map[string]string{"": string(content)}}
	f.answer(w, r, http.StatusCreated, map[string]any{"sha": sha})
}

func (f *fakeGitHub) postTree(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Base string `json:"base_tree"`
		Tree []struct {
			Path, Mode, Type string
			Content          *string
			SHA              *string
		}
	}
	f.read(r, &body)
	base, ok := strings.CutPrefix(body.Base, "tree-")
	if !ok || !f.commits[base] {
		f.fail(w, r, http.StatusUnprocessableEntity, "base_tree is not a valid tree oid")
		return
	}
	files := maps.Clone(f.filesOf(base))
	for _, e := range body.Tree {
		switch {
		case e.Mode != "100644" || e.Type != "blob" || e.Path == "" || (e.Content == nil) == (e.SHA == nil):
			f.t.Errorf("entry %+v", e)
		case e.Content != nil:
			files[e.Path] = *e.Content
		default:
			files[e.Path] = f.made[*e.SHA].files[""]
		}
	}
	sha := "made-" + f.newCommit()
	f.made[sha] = &fakeCommit{files: files}
	f.answer(w, r, http.StatusCreated, map[string]any{"sha": sha})
}

func (f *fakeGitHub) postCommit(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Message, Tree string
		Parents       []string
		Author        *struct{ Name, Email string }
	}
	f.read(r, &body)
	tree := f.made[body.Tree]
	if tree == nil || len(body.Parents) != 1 || !f.commits[body.Parents[0]] || body.Message == "" {
		f.fail(w, r, http.StatusUnprocessableEntity, "Tree SHA does not exist")
		return
	}
	sha := f.commitFiles(body.Parents[0], body.Message, tree.files)
	f.answer(w, r, http.StatusCreated, map[string]any{"sha": sha})
}

func (f *fakeGitHub) postRef(w http.ResponseWriter, r *http.Request) {
	var body struct{ Ref, SHA string }
	f.read(r, &body)
	branch, ok := strings.CutPrefix(body.Ref, "refs/heads/")
	switch {
	case !ok || !f.commits[body.SHA]:
		f.fail(w, r, http.StatusUnprocessableEntity, "Object does not exist")
	case f.branches[branch] != nil:
		f.fail(w, r, http.StatusUnprocessableEntity, "Reference already exists")
	default:
		f.move(branch, body.SHA)
		f.answer(w, r, http.StatusCreated, map[string]any{"ref": body.Ref, "object": map[string]any{"sha": body.SHA}})
	}
}

func (f *fakeGitHub) patchRef(w http.ResponseWriter, r *http.Request) {
	var body struct {
		SHA   string
		Force bool
	}
	f.read(r, &body)
	branch := r.PathValue("branch")
	switch {
	case f.branches[branch] == nil:
		f.fail(w, r, http.StatusUnprocessableEntity, "Reference does not exist")
	case !body.Force:
		f.fail(w, r, http.StatusUnprocessableEntity, "Update is not a fast forward")
	default:
		f.move(branch, body.SHA)
		f.answer(w, r, 200, map[string]any{"ref": "refs/heads/" + branch, "object": map[string]any{"sha": body.SHA}})
	}
}

func (f *fakeGitHub) postPull(w http.ResponseWriter, r *http.Request) {
	var body struct{ Title, Head, Base, Body string }
	f.read(r, &body)
	if why := f.refusesPull(body.Head, body.Base); why != "" || body.Title == "" {
		f.fail(w, r, http.StatusUnprocessableEntity, "Validation Failed", map[string]any{"resource": "PullRequest", "code": "custom", "message": why})
		return
	}
	f.answer(w, r, http.StatusCreated, f.pull(f.openOf(body.Head, body.Base, body.Title, body.Body), true))
}

func (f *fakeGitHub) patchPull(w http.ResponseWriter, r *http.Request, p *fakePull) {
	var body struct {
		Title, Body, State *string
	}
	f.read(r, &body)
	if body.Title != nil {
		p.title = *body.Title
	}
	if body.Body != nil {
		p.body = *body.Body
	}
	if body.State != nil && *body.State == "closed" {
		p.state = Closed
	}
	f.answer(w, r, 200, f.pull(p, true))
}
