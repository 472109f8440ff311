package forge

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/go-github/v88/github"
)

func gitHubUser(u *github.User) User {
	return User{ID: u.GetID(), Login: u.GetLogin()}
}

// permissionOf takes the role that GitHub boils every other down to: who maintains
// may write, who triages may read.
func (g *gitHub) permissionOf(ctx context.Context, login string) (User, Permission, error) {
	level, _, err := g.client.Repositories.GetPermissionLevel(ctx, g.owner, g.name, url.PathEscape(login))
	if err != nil {
		return User{}, None, err
	}
	permission := map[string]Permission{"read": Read, "write": Write, "admin": Admin}[level.GetPermission()]
	return gitHubUser(level.GetUser()), permission, nil
}

func (g *gitHub) userByID(ctx context.Context, id int64) (User, error) {
	u, _, err := g.client.Users.GetByID(ctx, id)
	return gitHubUser(u), err
}

// inTeam lists the team, the teams below it included: a membership is asked for by
// name and answers without an id.
func (g *gitHub) inTeam(ctx context.Context, team string, u User) (bool, error) {
	org, slug, ok := strings.Cut(team, "/")
	if !ok {
		return false, fmt.Errorf("%w: %q is not organization/team", ErrNotFound, team)
	}
	opts := &github.TeamListTeamMembersOptions{ListOptions: github.ListOptions{PerPage: perPage}}
	for member, err := range g.client.Teams.ListTeamMembersBySlugIter(ctx, url.PathEscape(org), url.PathEscape(slug), opts) {
		if err != nil {
			return false, err
		}
		if member.GetID() == u.ID && u.ID != 0 {
			return true, nil
		}
	}
	return false, nil
}

// gitHubPull reads a pull request of a list or of its own: a list's has no merged
// and no mergeable.
func gitHubPull(p *github.PullRequest) PullRequest {
	head, base := p.GetHead(), p.GetBase()
	pull := PullRequest{
		Number:     p.GetNumber(),
		Title:      p.GetTitle(),
		URL:        p.GetHTMLURL(),
		State:      Open,
		Draft:      p.GetDraft(),
		Author:     gitHubUser(p.User),
		Head:       head.GetSHA(),
		HeadRef:    head.GetRef(),
		Fork:       head.GetRepo().GetID() == 0 || head.GetRepo().GetID() != base.GetRepo().GetID(), // 0: a fork that is gone
		Base:       base.GetRef(),
		Updated:    p.GetUpdatedAt().Time,
		HeadGitRef: fmt.Sprintf("refs/pull/%d/head", p.GetNumber()),
	}
	for _, label := range p.Labels {
		pull.Labels = append(pull.Labels, label.GetName())
	}
	switch {
	case p.MergedAt != nil || p.GetMerged():
		pull.State = Merged
		pull.MergeCommit = p.GetMergeCommitSHA() // of an open one it is a merge that was only tried
	case p.GetState() == "closed":
		pull.State = Closed
	}
	if p.Mergeable != nil { // null while GitHub still tries
		pull.Mergeable = No
		if *p.Mergeable && !pull.Draft { // which is no conflict, but is not merged either
			pull.Mergeable = Yes
		}
	}
	return pull
}
