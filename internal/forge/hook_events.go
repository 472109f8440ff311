package forge

import "strings"

// hooked is what GitHub and Gitea, which followed it, have in common.
type hooked struct {
	Number     int    `json:"number"`
	Ref        string `json:"ref"`
	IsPull     bool   `json:"is_pull"` // of Gitea's comments
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
	PullRequest *struct {
		Number int `json:"number"`
	} `json:"pull_request"`
	Issue *struct {
		Number      int       `json:"number"`
		PullRequest *struct{} `json:"pull_request"`
	} `json:"issue"`
}

func (p *hooked) hint() Hook { return Hook{Repository: p.Repository.FullName} }

// branch is true of a push that moved a branch, not a tag.
func (p *hooked) branch() bool { return strings.HasPrefix(p.Ref, "refs/heads/") }

// pull is the number of the pull request that an event is about, comments included.
func (p *hooked) pull() int {
	switch {
	case p.PullRequest != nil:
		return p.PullRequest.Number
	case p.Issue != nil && (p.IsPull || p.Issue.PullRequest != nil):
		return p.Issue.Number
	}
	return 0
}

func readGitHub(event string, body []byte) (Hook, error) {
	var p hooked
	if err := payload(body, &p); err != nil {
		return Hook{}, err
	}
	hook := p.hint()
	switch event {
	case "ping":
		hook.Ping = true
	case "push":
		hook.Pushed = p.branch()
	case "pull_request", "pull_request_review", "pull_request_review_comment", "pull_request_review_thread", "issue_comment":
		hook.Number = p.pull()
	}
	return hook, nil
}

// readGitea goes by X-Gitea-Event, which a review appends its verdict to:
// pull_request_approved, pull_request_rejected. A test delivery is a push.
func readGitea(event string, body []byte) (Hook, error) {
	var p hooked
	if err := payload(body, &p); err != nil {
		return Hook{}, err
	}
	hook := p.hint()
	switch {
	case event == "push":
		hook.Pushed = p.branch()
	case event == "issue_comment", event == "pull_request", strings.HasPrefix(event, "pull_request_"):
		hook.Number = p.pull()
	}
	return hook, nil
}

// readGitLab goes by the payload's own kind: a system hook has one name for all.
func readGitLab(_ string, body []byte) (Hook, error) {
	var p struct {
		Kind    string `json:"object_kind"`
		Ref     string `json:"ref"`
		Project struct {
			Path string `json:"path_with_namespace"`
		} `json:"project"`
		Attributes struct {
			IID int `json:"iid"`
		} `json:"object_attributes"`
		MergeRequest *struct {
			IID int `json:"iid"`
		} `json:"merge_request"`
	}
	if err := payload(body, &p); err != nil {
		return Hook{}, err
	}
	hook := Hook{Repository: p.Project.Path}
	switch p.Kind {
	case "push":
		hook.Pushed = strings.HasPrefix(p.Ref, "refs/heads/")
	case "merge_request":
		hook.Number = p.Attributes.IID
	case "note", "emoji":
		if p.MergeRequest != nil {
			hook.Number = p.MergeRequest.IID
		}
	}
	return hook, nil
}
