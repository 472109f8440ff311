package forge

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (f *fakeGitLab) remedyRoutes(on func(string, http.HandlerFunc)) {
	const issue = "/projects/{id}/issues/{iid}"
	on("GET /projects/{id}/issues", f.listIssues)
	on("POST /projects/{id}/issues", f.postIssue)
	on("GET "+issue, f.withIssue(func(w http.ResponseWriter, r *http.Request, i *fakeIssue) {
		f.query(r)
		f.answer(w, r, 200, f.issue(i))
	}))
	on("PUT "+issue, f.withIssue(f.putIssue))
	on("GET "+issue+"/notes", f.withIssue(func(w http.ResponseWriter, r *http.Request, i *fakeIssue) { f.listNotes(w, r, i.talk) }))
	on("POST "+issue+"/notes", f.withIssue(func(w http.ResponseWriter, r *http.Request, i *fakeIssue) { f.postNote(w, r, i.talk) }))
	on("POST /projects/{id}/repository/commits", f.postCommit)
	on("DELETE /projects/{id}/repository/branches/{branch}", func(w http.ResponseWriter, r *http.Request) {
		f.empty(r)
		if f.branches[r.PathValue("branch")] == nil {
			f.fail(w, r, http.StatusNotFound, "404 Branch Not Found")
			return
		}
		f.drop(r.PathValue("branch"))
		w.WriteHeader(http.StatusNoContent)
	})
	on("POST /projects/{id}/merge_requests", f.postPull)
	on("PUT /projects/{id}/merge_requests/{iid}", f.withPull(f.putPull))
}

func (f *fakeGitLab) withIssue(h func(http.ResponseWriter, *http.Request, *fakeIssue)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		i := f.issues[f.fakeAPI.number(r, r.PathValue("iid"))]
		if i == nil {
			f.fail(w, r, http.StatusNotFound, "404 Not found")
			return
		}
		h(w, r, i)
	}
}

func (f *fakeGitLab) issue(i *fakeIssue) map[string]any {
	return map[string]any{
		"id": 200000 + i.number, "iid": i.number, "project_id": 7, "title": i.title, "description": i.body, "author": f.person(i.author),
		"state": map[State]string{Open: "opened", Closed: "closed"}[i.state], "labels": append([]string{}, i.labels...),
		"web_url": fmt.Sprintf("%s/%s/-/issues/%d", f.server, gitLabProject, i.number),
	}
}

func (f *fakeGitLab) listIssues(w http.ResponseWriter, r *http.Request) {
	q := f.query(r, "state", "author_id", "scope", "order_by", "sort", "page", "per_page")
	who, err := strconv.ParseInt(q.Get("author_id"), 10, 64)
	if q.Get("state") != "opened" || q.Get("scope") != "all" || q.Get("order_by") != "created_at" || q.Get("sort") != "asc" || err != nil {
		f.t.Errorf("the fake lists one person's open issues by age, asked for %q", r.URL.RawQuery)
	}
	all := []any{}
	for _, i := range f.sortedIssues(who) {
		all = append(all, f.issue(i))
	}
	pages(f, w, r, all)
}

func labelsOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func (f *fakeGitLab) postIssue(w http.ResponseWriter, r *http.Request) {
	var body struct{ Title, Description, Labels string }
	f.read(r, &body)
	if body.Title == "" || len([]rune(body.Title)) > 255 {
		f.fail(w, r, http.StatusBadRequest, map[string]any{"title": []string{"is too long (maximum is 255 characters)"}})
		return
	}
	f.answer(w, r, http.StatusCreated, f.issue(f.openIssue(f.bot, body.Title, body.Description, labelsOf(body.Labels))))
}

func (f *fakeGitLab) putIssue(w http.ResponseWriter, r *http.Request, i *fakeIssue) {
	var body struct {
		Title       *string `json:"title"`
		Description *string `json:"description"`
		Event       *string `json:"state_event"`
	}
	f.read(r, &body)
	if body.Title != nil {
		i.title = *body.Title
	}
	if body.Description != nil {
		i.body = *body.Description
	}
	if body.Event != nil {
		if *body.Event != "close" {
			f.t.Errorf("event %q", *body.Event)
		}
		i.state = Closed
	}
	f.answer(w, r, 200, f.issue(i))
}

func (f *fakeGitLab) postCommit(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Branch  string `json:"branch"`
		Message string `json:"commit_message"`
		Start   string `json:"start_sha"`
		Force   bool   `json:"force"`
		Name    string `json:"author_name"`
		Email   string `json:"author_email"`
		Actions []struct {
			Action   string `json:"action"`
			Path     string `json:"file_path"`
			Content  string `json:"content"`
			Encoding string `json:"encoding"`
		} `json:"actions"`
	}
	f.read(r, &body)
	switch {
	case body.Message == "" || len(body.Actions) == 0 || !f.commits[body.Start]:
		f.fail(w, r, http.StatusBadRequest, "Invalid")
		return
	case f.branches[body.Branch] != nil && !body.Force:
		f.fail(w, r, http.StatusBadRequest, "A branch called '"+body.Branch+"' already exists. Switch to that branch in order to make changes")
		return
	}
	files := maps.Clone(f.filesOf(body.Start))
	for _, a := range body.Actions {
		content, err := base64.StdEncoding.DecodeString(a.Content)
		if err != nil || a.Action != "update" || a.Encoding != "base64" {
			f.t.Errorf("action %+v", a)
		}
		if _, known := files[a.Path]; !known {
			f.fail(w, r, http.StatusBadRequest, "A file with this name doesn't exist")
			return
		}
		files[a.Path] = string(content)
	}
	commit := f.commitFiles(body.Start, body.Message, files)
	f.move(body.Branch, commit)
	f.answer(w, r, http.StatusCreated, map[string]any{"id": commit, "short_id": commit[:8], "message": body.Message})
}

func (f *fakeGitLab) postPull(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Title       string `json:"title"`
		Description string `json:"description"`
		Source      string `json:"source_branch"`
		Target      string `json:"target_branch"`
		Labels      string `json:"labels"`
	}
	f.read(r, &body)
	if why := f.refusesPull(body.Source, body.Target); why != "" || body.Title == "" {
		f.fail(w, r, http.StatusConflict, []string{why})
		return
	}
	p := f.openOf(body.Source, body.Target, body.Title, body.Description)
	p.labels = slices.Clone(labelsOf(body.Labels))
	f.answer(w, r, http.StatusCreated, f.pull(p))
}

func (f *fakeGitLab) putPull(w http.ResponseWriter, r *http.Request, p *fakePull) {
	var body struct {
		Title       *string `json:"title"`
		Description *string `json:"description"`
		Event       *string `json:"state_event"`
	}
	f.read(r, &body)
	if body.Title != nil {
		p.title = *body.Title
	}
	if body.Description != nil {
		p.body = *body.Description
	}
	if body.Event != nil && *body.Event == "close" {
		p.state = Closed
	}
	f.answer(w, r, 200, f.pull(p))
}
