package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"code.gitea.io/sdk/gitea"
)

// giteaForge speaks with Gitea and Forgejo.
type giteaForge struct {
	root        string
	wire        *transport
	owner, name string
	settle      []time.Duration // how long to wait between asking again what brought a young commit
}

func newGitea(cfg Config) (backend, *transport, error) {
	if cfg.URL == "" {
		return nil, nil, errors.New("url: is empty; Gitea has no address of its own")
	}
	root, err := address(cfg.URL)
	if err != nil {
		return nil, nil, err
	}
	wire, err := newTransport(cfg, root, func(r *http.Request) error {
		r.Header.Set("Authorization", "token "+cfg.Token)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	g := &giteaForge{
		root:   root.String(),
		wire:   wire,
		settle: []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond},
	}
	g.owner, g.name, _ = strings.Cut(cfg.Repository, "/")
	if _, err := g.client(context.Background()); err != nil {
		return nil, nil, fmt.Errorf("url: %w", err)
	}
	return g, wire, nil
}

// client is one for this call, for the library ties a context to a client. It does
// not ask for the server's version: every call here is older than any server worth
// asking, save commits/{sha}/pull (Gitea 1.21).
func (g *giteaForge) client(ctx context.Context) (*gitea.Client, error) {
	return gitea.NewClient(g.root, gitea.SetHTTPClient(g.wire.client()), gitea.SetContext(ctx), gitea.SetGiteaVersion(""))
}

func (g *giteaForge) self(ctx context.Context) (User, error) {
	c, err := g.client(ctx)
	if err != nil {
		return User{}, err
	}
	u, _, err := c.GetMyUserInfo()
	if err != nil {
		return User{}, err
	}
	return giteaUser(u), nil
}

func (g *giteaForge) setStatus(ctx context.Context, commit string, s Status) error {
	c, err := g.client(ctx)
	if err != nil {
		return err
	}
	_, _, err = c.CreateStatus(g.owner, g.name, commit, gitea.CreateStatusOption{
		State:       gitea.StatusState(s.Check), // the same words
		TargetURL:   s.URL,
		Description: line(s.Description, 255), // what its page shows
		Context:     s.Context,
	})
	return err
}

// permissionOf needs a token that administers the repository: Gitea tells nobody
// else what others may do.
func (g *giteaForge) permissionOf(ctx context.Context, login string) (User, Permission, error) {
	c, err := g.client(ctx)
	if err != nil {
		return User{}, None, err
	}
	said, _, err := c.CollaboratorPermission(g.owner, g.name, login)
	if err != nil {
		return User{}, None, err
	}
	p := None
	switch said.Permission {
	case gitea.AccessModeRead:
		p = Read
	case gitea.AccessModeWrite:
		p = Write
	case gitea.AccessModeAdmin, gitea.AccessModeOwner:
		p = Admin
	}
	return giteaUser(said.User), p, nil
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
		members, err := giteaPages(func(o gitea.ListOptions) ([]*gitea.User, *gitea.Response, error) {
			return c.ListTeamMembers(t.ID, gitea.ListTeamMembersOptions{ListOptions: o})
		})
		for _, member := range members {
			if member.ID == u.ID {
				return true, err
			}
		}
		return false, err
	}
	return false, fmt.Errorf("team %s: %w", team, ErrNotFound)
}

func giteaUser(u *gitea.User) User {
	if u == nil {
		return User{}
	}
	return User{ID: u.ID, Login: u.UserName}
}
