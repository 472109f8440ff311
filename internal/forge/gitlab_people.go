package forge

import (
	"context"
	"errors"
	"slices"
	"strings"

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
// above it was not put into the team by anybody. To ask for one member would answer
// 404 both where he is none and where there is no such group.
func (g *gitLab) inTeam(ctx context.Context, team string, u User) (bool, error) {
	opts := &gitlab.ListGroupMembersOptions{UserIDs: &[]int64{u.ID}, ListOptions: gitlab.ListOptions{PerPage: perPage}}
	for m, err := range gitlab.Scan2(func(next gitlab.PaginationOptionFunc) ([]*gitlab.GroupMember, *gitlab.Response, error) {
		return g.client.Groups.ListGroupMembers(team, opts, gitlab.WithContext(ctx), next)
	}) {
		if err != nil {
			return false, err
		}
		if m.ID == u.ID {
			return m.State == "active" && m.AccessLevel > gitlab.NoPermissions, nil
		}
	}
	return false, nil
}
