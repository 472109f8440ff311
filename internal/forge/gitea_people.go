package forge

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"code.gitea.io/sdk/gitea"
)

// permissionOf needs a token that administers the repository: Gitea tells nobody
// else what others may do. What teams give on code alone it leaves out, so they are
// asked too.
func (g *giteaForge) permissionOf(ctx context.Context, login string) (User, Permission, error) {
	c, err := g.client(ctx)
	if err != nil {
		return User{}, None, err
	}
	said, _, err := c.CollaboratorPermission(g.owner, g.name, login)
	if err != nil {
		return User{}, None, err
	}
	who, p := giteaUser(said.User), giteaPermission(string(said.Permission))
	if p < Write {
		given, err := g.givenByTeams(c, who, p)
		return who, given, err
	}
	return who, p, nil
}

// givenByTeams is what a person may do with the code, who has p without a team. It is
// an error where that is less than to write and a team's members are not shown, for
// the person may be one.
func (g *giteaForge) givenByTeams(c *gitea.Client, u User, p Permission) (Permission, error) {
	if g.personal.Load() || u.ID <= 0 {
		return p, nil
	}
	teams, _, err := c.GetRepoTeams(g.owner, g.name)
	if errors.Is(err, ErrRefused) { // 405 says that the owner is no organisation
		g.personal.Store(true)
		return p, nil
	}
	if err != nil {
		return None, err
	}
	var unseen error
	for _, t := range teams {
		if teamGives(t) <= p {
			continue
		}
		in, err := isMember(c, t.ID, u)
		switch {
		case err != nil:
			unseen = fmt.Errorf("team %s: %w (the token's account must be in it or own the organisation)", t.Name, err)
		case in:
			p = teamGives(t)
		}
	}
	if p < Write && unseen != nil {
		return None, unseen
	}
	return p, nil
}

// teamGives is what a team gives that Gitea's answer leaves out: its part in the
// code, unless it is given everything alike.
func teamGives(t *gitea.Team) Permission {
	if giteaPermission(string(t.Permission)) >= Write {
		return None // counted already, Owners too
	}
	return giteaPermission(t.UnitsMap["repo.code"])
}

func giteaPermission(said string) Permission {
	switch gitea.AccessMode(said) {
	case gitea.AccessModeRead:
		return Read
	case gitea.AccessModeWrite:
		return Write
	case gitea.AccessModeAdmin, gitea.AccessModeOwner:
		return Admin
	}
	return None
}

func isMember(c *gitea.Client, team int64, u User) (bool, error) {
	members, err := giteaPages(func(o gitea.ListOptions) ([]*gitea.User, *gitea.Response, error) {
		return c.ListTeamMembers(team, gitea.ListTeamMembersOptions{ListOptions: o})
	})
	return slices.ContainsFunc(members, func(m *gitea.User) bool { return m.ID == u.ID }), err
}

func (g *giteaForge) userByID(ctx context.Context, id int64) (User, error) {
	c, err := g.client(ctx)
	if err != nil {
		return User{}, err
	}
	found, _, err := c.SearchUsers(gitea.SearchUsersOption{UID: id})
	if err != nil {
		return User{}, err
	}
	for _, u := range found {
		if u.ID == id {
			return giteaUser(u), nil
		}
	}
	return User{}, fmt.Errorf("user %d: %w", id, ErrNotFound)
}

func (g *giteaForge) inTeam(ctx context.Context, team string, u User) (bool, error) {
	org, name, ok := strings.Cut(team, "/")
	if !ok || org == "" || name == "" {
		return false, fmt.Errorf("%q is not org/team", team)
	}
	c, err := g.client(ctx)
	if err != nil {
		return false, err
	}
	teams, err := giteaPages(func(o gitea.ListOptions) ([]*gitea.Team, *gitea.Response, error) {
		return c.SearchOrgTeams(url.PathEscape(org), &gitea.SearchTeamsOptions{ListOptions: o, Query: name})
	})
	if err != nil {
		return false, err
	}
	for _, t := range teams {
		if !strings.EqualFold(t.Name, name) {
			continue
		}
		return isMember(c, t.ID, u)
	}
	return false, fmt.Errorf("team %s: %w", team, ErrNotFound)
}
