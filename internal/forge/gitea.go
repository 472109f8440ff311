package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"code.gitea.io/sdk/gitea"
)

// giteaForge speaks with Gitea and Forgejo.
type giteaForge struct {
	root        string
	wire        *transport
	owner, name string
	marks       []time.Duration // pauses in which Gitea marks what a young commit was merged by
	checks      []time.Duration // pauses in which it finds out whether it can merge
	personal    atomic.Bool     // the owner is known to be no organisation
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
	pauses := []time.Duration{ms(200), ms(400), ms(800), ms(1600)}
	g := &giteaForge{
		root:   root.String(),
		wire:   wire,
		marks:  pauses,
		checks: append(slices.Clip(pauses), ms(3200), ms(6400), ms(12800)),
	}
	g.owner, g.name, _ = strings.Cut(cfg.Repository, "/")
	if _, err := g.client(context.Background()); err != nil {
		return nil, nil, fmt.Errorf("url: %w", err)
	}
	return g, wire, nil
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

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

func giteaUser(u *gitea.User) User {
	if u == nil {
		return User{}
	}
	return User{ID: u.ID, Login: u.UserName}
}
