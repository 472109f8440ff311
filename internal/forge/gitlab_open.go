package forge

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// gitLab is one project on GitLab.
type gitLab struct {
	client  *gitlab.Client
	project string // group/subgroup/name
}

func newGitLab(cfg Config) (backend, *transport, error) {
	setting := cfg.URL
	if setting == "" {
		setting = "https://gitlab.com"
	}
	root, err := address(setting)
	if err != nil {
		return nil, nil, err
	}
	root.Path = strings.TrimSuffix(root.Path, "/api/v4") + "/api/v4/"
	wire, err := newTransport(cfg, root, func(r *http.Request) error {
		r.Header.Set("PRIVATE-TOKEN", cfg.Token)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	// The token, limits and another try are the transport's and the caller's.
	client, err := gitlab.NewAuthSourceClient(gitlab.Unauthenticated{},
		gitlab.WithBaseURL(root.String()),
		gitlab.WithHTTPClient(wire.client()),
		gitlab.WithoutRetries(),
		gitlab.WithCustomLimiter(unlimited{}),
		gitlab.WithURLWarningLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		return nil, nil, err
	}
	return &gitLab{client: client, project: cfg.Repository}, wire, nil
}

// unlimited is a limiter that never waits.
type unlimited struct{}

func (unlimited) Wait(context.Context) error { return nil }
