package forge

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// permissionOf asks for the account first: members are asked for by id. Who is no
// member of the project or of a group above it has no permission, though he may
// read where the project is public; an instance's administrator is no exception.
func (g *gitLab) permissionOf(ctx context.Context, login string) (User, Permission, error) {
	found, _, err := g.client.Users.ListUsers(&gitlab.ListUsersOptions{Username: &login}, gitlab.WithContext(ctx))
	if err != nil {
		return User{}, None, err
	}
	i := slices.IndexFunc(found, func(u *gitlab.User) bool { return strings.EqualFold(u.Username, login) })
	if i < 0 {
		return User{}, None, ErrNotFound
	}
	u := User{ID: found[i].ID, Login: found[i].Username}
	m, _, err := g.client.ProjectMembers.GetInheritedProjectMember(g.project, u.ID, gitlab.WithContext(ctx))
	if errors.Is(err, ErrNotFound) {
		return u, None, nil
	}
	if err != nil {
		return User{}, None, err
	}
	if m.ID != u.ID || m.State != "active" { // blocked, deactivated, awaiting
		return u, None, nil
	}
	return u, gitLabPermission(m.AccessLevel), nil
}

// gitLabPermission puts five roles into three. A guest may comment but not read the
// code of a private project.
func gitLabPermission(level gitlab.AccessLevelValue) Permission {
	switch {
	case level >= gitlab.MaintainerPermissions:
		return Admin
	case level >= gitlab.DeveloperPermissions:
		return Write
	case level >= gitlab.ReporterPermissions:
		return Read
	}
	return None
}

func (g *gitLab) userByID(ctx context.Context, id int64) (User, error) {
	u, _, err := g.client.Users.GetUser(id, nil, gitlab.WithContext(ctx))
	if err != nil {
		return User{}, err
	}
	return User{ID: u.ID, Login: u.Username}, nil
}

// inTeam takes a group for a team, and its own members only: who is in a group
// above it was not put into the team by anybody.
func (g *gitLab) inTeam(ctx context.Context, team string, u User) (bool, error) {
	m, _, err := g.client.GroupMembers.GetGroupMember(team, u.ID, gitlab.WithContext(ctx))
	if errors.Is(err, ErrNotFound) {
		_, _, err = g.client.Groups.GetGroup(team, &gitlab.GetGroupOptions{WithProjects: gitlab.Ptr(false)}, gitlab.WithContext(ctx))
		return false, err
	}
	if err != nil {
		return false, err
	}
	return m.ID == u.ID && m.State == "active" && m.AccessLevel > gitlab.NoPermissions, nil
}

// reviews are GitLab's approvals and requests for changes. It ties none to a
// commit, but dates approvals and the versions of the merge request: an approval is
// of the version that was the newest then.
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
		if a.User != nil && a.User.ID != 0 {
			all = append(all, Review{By: User{ID: a.User.ID, Login: a.User.Username}, Verdict: Approved, At: at(a.ApprovedAt)})
		}
	}
	if len(all) > 0 {
		if err := g.bind(ctx, number, all); err != nil {
			return nil, err
		}
	}
	// A request for changes comes last: where somebody is said to have done both,
	// the stricter counts. What takes an approval back takes it off its list.
	for _, r := range reviewers {
		if r.User != nil && r.State == "requested_changes" {
			all = append(all, Review{By: User{ID: r.User.ID, Login: r.User.Username}, Verdict: ChangesRequested})
		}
	}
	return all, nil
}

// bind gives approvals the head they were given to. It leaves Commit empty where
// GitLab tells no time, or none before the first version.
func (g *gitLab) bind(ctx context.Context, number int, approvals []Review) error {
	opts := &gitlab.GetMergeRequestDiffVersionsOptions{ListOptions: page}
	versions, err := gitlab.ScanAndCollect(func(next gitlab.PaginationOptionFunc) ([]*gitlab.MergeRequestDiffVersion, *gitlab.Response, error) {
		return g.client.MergeRequests.GetMergeRequestDiffVersions(g.project, int64(number), opts, gitlab.WithContext(ctx), next)
	})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(approvals, func(r Review) bool { return r.At.IsZero() }) {
		if err := g.date(ctx, number, approvals); err != nil {
			return err
		}
	}
	slices.SortFunc(versions, func(a, b *gitlab.MergeRequestDiffVersion) int { return cmp.Compare(b.ID, a.ID) })
	for i := range approvals {
		approvals[i].Commit = headAt(versions, approvals[i].At)
	}
	return nil
}

// headAt is the head of the newest version that was there before a time. One made
// at that very moment is not what somebody had read.
func headAt(newestFirst []*gitlab.MergeRequestDiffVersion, t time.Time) string {
	for _, v := range newestFirst {
		if v.CreatedAt == nil {
			return "" // a version of unknown age may lie between
		}
		if v.CreatedAt.Before(t) {
			return v.HeadCommitSHA
		}
	}
	return ""
}

// date finds the times of approvals in what GitLab noted itself: before 18.0 the
// list of approvals has none.
func (g *gitLab) date(ctx context.Context, number int, approvals []Review) error {
	notes, err := g.notes(ctx, number)
	if err != nil {
		return err
	}
	for i := range approvals {
		if !approvals[i].At.IsZero() {
			continue
		}
		for _, n := range notes { // the last counts
			if n.System && n.Author.ID == approvals[i].By.ID && n.Body == "approved this merge request" {
				approvals[i].At = at(n.CreatedAt)
			}
		}
	}
	return nil
}
