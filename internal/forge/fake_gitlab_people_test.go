package forge

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

func (f *fakeGitLab) person(id int64) any {
	u := f.users[id]
	if u == nil { // what a deleted account leaves is the ghost's
		return map[string]any{"id": 1, "username": "ghost", "state": "active"}
	}
	state := "active"
	if u.blocked {
		state = "blocked"
	}
	return map[string]any{"id": u.id, "username": u.login, "name": u.login, "state": state}
}

func (f *fakeGitLab) peopleRoutes(on route) {
	on("GET /user", func(w http.ResponseWriter, r *http.Request) {
		f.query(r)
		f.answer(w, r, 200, f.person(f.bot))
	})
	on("GET /users/{uid}", func(w http.ResponseWriter, r *http.Request) {
		f.query(r)
		u := f.users[int64(f.number(r, r.PathValue("uid")))]
		if u == nil {
			f.fail(w, r, http.StatusNotFound, "404 User Not Found")
			return
		}
		f.answer(w, r, 200, f.person(u.id))
	})
	on("GET /users", func(w http.ResponseWriter, r *http.Request) {
		found := []any{}
		if u := f.byLogin(f.query(r, "username").Get("username")); u != nil {
			found = append(found, f.person(u.id))
		}
		pages(f, w, r, found)
	})
	on("GET /projects/{id}/members/all/{uid}", func(w http.ResponseWriter, r *http.Request) {
		f.query(r)
		u := f.users[int64(f.number(r, r.PathValue("uid")))]
		if u == nil || u.permission == None {
			f.fail(w, r, http.StatusNotFound, "404 Not found")
			return
		}
		f.answer(w, r, 200, f.member(u.id, map[Permission]int{Read: 20, Write: 30, Admin: 40}[u.permission]))
	})
	on("GET /groups/{gid}/members", func(w http.ResponseWriter, r *http.Request) {
		asked := f.query(r, "user_ids[]", "page", "per_page")["user_ids[]"]
		ids, ok := f.teams[r.PathValue("gid")]
		if !ok {
			f.fail(w, r, http.StatusNotFound, "404 Group Not Found")
			return
		}
		found := []any{}
		for _, id := range ids {
			if slices.Contains(asked, strconv.FormatInt(id, 10)) {
				found = append(found, f.member(id, 10))
			}
		}
		pages(f, w, r, found)
	})
}

func (f *fakeGitLab) member(id int64, level int) map[string]any {
	v := f.person(id).(map[string]any)
	v["access_level"] = level
	return v
}

// approves makes somebody's approval; one that is there must be taken back first.
func (f *fakeGitLab) approves(p *fakePull, by int64) {
	f.unapproves(p, by)
	f.review(p, by, Approved)
	f.say(p, by, "approved this merge request").system = true
}

func (f *fakeGitLab) unapproves(p *fakePull, by int64) {
	p.reviews = slices.DeleteFunc(p.reviews, func(r *fakeReview) bool { return r.by == by })
}

func (f *fakeGitLab) requestsChanges(p *fakePull, by int64) {
	f.unapproves(p, by)
	f.review(p, by, ChangesRequested)
	f.say(p, by, "requested changes").system = true
}

func (f *fakeGitLab) approvals(w http.ResponseWriter, r *http.Request, p *fakePull) {
	f.query(r)
	all := []any{}
	for _, v := range p.reviews {
		if v.verdict != Approved {
			continue
		}
		given := map[string]any{"user": f.person(v.by)}
		if !f.undated {
			given["approved_at"] = v.at
		}
		all = append(all, given)
	}
	f.answer(w, r, 200, map[string]any{"user_has_approved": false, "approved": len(all) > 0, "approved_by": all})
}

func (f *fakeGitLab) reviewers(w http.ResponseWriter, r *http.Request, p *fakePull) {
	f.query(r)
	all := []any{}
	for _, v := range p.reviews {
		state := map[Verdict]string{Approved: "approved", ChangesRequested: "requested_changes", "": "reviewed"}[v.verdict]
		all = append(all, map[string]any{"user": f.person(v.by), "state": state, "created_at": f.now}) // when he was asked to, not when he did
	}
	f.answer(w, r, 200, all)
}

func (f *fakeGitLab) listVersions(w http.ResponseWriter, r *http.Request, p *fakePull) {
	f.query(r, "page", "per_page")
	all := []any{}
	for _, v := range slices.Backward(p.versions) {
		all = append(all, map[string]any{"id": v.id, "head_commit_sha": v.head, "created_at": v.at, "state": "collected"})
	}
	pages(f, w, r, all)
}

// postStatus follows GitLab's own service: the newest pipeline of the commit, or of
// the commit and ref, or a new one; in it the job of that name that has not ended, or
// a new one; and only the transitions that a job knows.
func (f *fakeGitLab) postStatus(w http.ResponseWriter, r *http.Request) {
	var body struct {
		State       string `json:"state"`
		Ref         string `json:"ref"`
		Name        string `json:"name"`
		TargetURL   string `json:"target_url"`
		Description string `json:"description"`
	}
	f.read(r, &body)
	sha := r.PathValue("sha")
	if !f.commits[sha] {
		f.fail(w, r, http.StatusNotFound, "404 Commit Not Found")
		return
	}
	var pipeline *fakePipeline
	for _, p := range f.pipelines {
		if p.sha == sha && (body.Ref == "" || p.ref == body.Ref) {
			pipeline = p
		}
	}
	ref := body.Ref
	if ref == "" && pipeline != nil {
		ref = pipeline.ref
	}
	for name, commits := range f.branches {
		if ref == "" && slices.Contains(commits, sha) {
			ref = name
		}
	}
	switch {
	case ref == "":
		f.fail(w, r, http.StatusNotFound, "404 References for commit Not Found")
		return
	case utf8.RuneCountInString(body.Description) > 255 || len(ref) > 255:
		f.fail(w, r, http.StatusBadRequest, map[string]any{"description": []string{"is too long (maximum is 255 characters)"}})
		return
	case body.TargetURL != "" && !strings.HasPrefix(body.TargetURL, "http"):
		f.fail(w, r, http.StatusBadRequest, map[string]any{"target_url": []string{"is blocked: Only allowed schemes are http, https"}})
		return
	}
	if pipeline == nil {
		pipeline = &fakePipeline{id: f.next(), sha: sha, ref: ref}
		f.pipelines = append(f.pipelines, pipeline)
	}
	var job *fakeStatus
	for _, j := range pipeline.jobs {
		if j.context == body.Name && (j.state == "pending" || j.state == "running") {
			job = j
		}
	}
	if job == nil {
		job = &fakeStatus{commit: sha, context: body.Name, state: "created", ref: ref, pipeline: pipeline.id}
	}
	event, from := "", []string{}
	switch body.State {
	case "pending":
		event, from = "enqueue", []string{"created"}
	case "running":
		event, from = "run", []string{"created", "pending"} // it is made pending first
	case "success":
		event, from = "success", []string{"created", "pending", "running"}
	case "failed":
		event, from = "drop", []string{"created", "pending", "running"}
	default:
		f.t.Errorf("a status is not %q", body.State)
	}
	if !slices.Contains(from, job.state) {
		f.fail(w, r, http.StatusBadRequest, fmt.Sprintf(`Cannot transition status via :%s from :%s (Reason(s): Status cannot transition via "%s")`, event, job.state, event))
		return
	}
	if job.state == "created" {
		pipeline.jobs = append(pipeline.jobs, job)
	}
	job.state, job.description, job.url = body.State, body.Description, body.TargetURL
	f.answer(w, r, http.StatusCreated, map[string]any{"id": 1, "sha": sha, "ref": ref, "status": body.State, "name": body.Name, "pipeline_id": pipeline.id})
}
