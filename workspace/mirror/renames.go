package forge

import (
	"cmp"
	"context"
	"slices"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// reviews are GitLab's approvals and requests for changes. It ties none to a
// commit, but dates them and the versions of the merge request: what somebody said
// is of the version that was the newest then. Who takes an approval back is off the
// list, so nothing is ever Dismissed.
func (g *gitLab) reviews(ctx context.Context, number int) ([]Review, error) {
	given, _, err := g.client.MergeRequestApprovals.GetConfiguration(g.project, int64(number), gitlab.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	reviewers, _, err := g.client.MergeRequests.GetMergeRequestReviewers(g.project, int64(number), gitlab.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	var all []Review
	for _, a := range given.ApprovedBy {
		if a.User != nil {
			all = append(all, Review{By: User{ID: a.User.ID, Login: a.User.Username}, Verdict: Approved, At: at(a.ApprovedAt)})
		}
	}
	// Last, so that the stricter counts where somebody is said to have done both.
	for _, r := range reviewers {
		if r.User != nil && r.State == "requested_changes" {
			all = append(all, Review{By: User{ID: r.User.ID, Login: r.User.Username}, Verdict: ChangesRequested})
		}
	}
	all = slices.DeleteFunc(all, func(r Review) bool { return r.By.ID == 0 })
	if len(all) == 0 {
		return nil, nil
	}
	if err := g.date(ctx, number, all); err != nil {
		return nil, err
	}
	return all, g.bind(ctx, number, all)
}

// date finds times in what GitLab noted itself: a list of approvals has them since
// 18.0 only, and that of reviewers never.
func (g *gitLab) date(ctx context.Context, number int, reviews []Review) error {
	if !slices.ContainsFunc(reviews, func(r Review) bool { return r.At.IsZero() }) {
		return nil
	}
	notes, err := g.notes(ctx, number)
	if err != nil {
		return err
	}
	for i, r := range reviews {
		if !r.At.IsZero() {
			continue
		}
		words := map[Verdict]string{Approved: "approved this merge request", ChangesRequested: "requested changes"}[r.Verdict]
		for _, n := range notes { // the last counts
			if n.System && n.Author.ID == r.By.ID && n.Body == words {
				reviews[i].At = at(n.CreatedAt)
			}
		}
	}
	return nil
}

// bind gives reviews the head they were of. It leaves Commit empty where there is
// no time, or none after the first version.
func (g *gitLab) bind(ctx context.Context, number int, reviews []Review) error {
	opts := &gitlab.GetMergeRequestDiffVersionsOptions{ListOptions: gitlab.ListOptions{PerPage: perPage}}
	versions, err := gitlab.ScanAndCollect(func(next gitlab.PaginationOptionFunc) ([]*gitlab.MergeRequestDiffVersion, *gitlab.Response, error) {
		return g.client.MergeRequests.GetMergeRequestDiffVersions(g.project, int64(number), opts, gitlab.WithContext(ctx), next)
	})
	if err != nil {
		return err
	}
	slices.SortFunc(versions, func(a, b *gitlab.MergeRequestDiffVersion) int { return cmp.Compare(b.ID, a.ID) })
	for i := range reviews {
		reviews[i].Commit = headAt(versions, reviews[i].At)
	}
	return nil
}

// headAt is the head of the newest version that was there before a time. One made
// at that very moment is not what somebody had read.
func headAt(newestFirst []*gitlab.MergeRequestDiffVersion, t time.Time) string {
	for _, v := range newestFirst {
		if v.CreatedAt == nil {
			return "" // its age is not known, and so not what was the newest
		}
		if v.CreatedAt.Before(t) {
			return v.HeadCommitSHA
		}
	}
	return ""
}
