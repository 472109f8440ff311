package forge

import (
	"fmt"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// gitLabPull reads a merge request.
func gitLabPull(m *gitlab.BasicMergeRequest) PullRequest {
	pull := PullRequest{
		Number:     int(m.IID),
		Title:      m.Title,
		URL:        m.WebURL,
		State:      Open, // also where it is locked: that is for the moment of the merge
		Draft:      m.Draft,
		Labels:     m.Labels,
		Head:       m.SHA,
		HeadRef:    m.SourceBranch,
		Fork:       m.SourceProjectID != m.TargetProjectID, // 0: a fork that is gone
		Base:       m.TargetBranch,
		Updated:    at(m.UpdatedAt),
		HeadGitRef: fmt.Sprintf("refs/merge-requests/%d/head", m.IID),
		Mergeable:  gitLabMergeable(m.DetailedMergeStatus, m.HasConflicts),
	}
	if m.Author != nil {
		pull.Author = User{ID: m.Author.ID, Login: m.Author.Username}
	}
	switch m.State {
	case "merged":
		pull.State = Merged
		// Without a commit of its own the merge was a fast-forward to the squash or the head.
		for _, commit := range []string{m.MergeCommitSHA, m.SquashCommitSHA, m.SHA} {
			if commit != "" {
				pull.MergeCommit = commit
				break
			}
		}
	case "closed":
		pull.State = Closed
	}
	return pull
}

// gitLabMergeable reads detailed_merge_status, which names the first thing in the
// way. Pipelines are not counted: Mooring's own statuses are among them.
func gitLabMergeable(status string, conflicts bool) Answer {
	switch status {
	case "", "unchecked", "checking", "preparing", "approvals_syncing":
		return Unknown
	case "mergeable", "ci_must_pass", "ci_still_running", "status_checks_must_pass":
		if !conflicts {
			return Yes
		}
	}
	return No
}
