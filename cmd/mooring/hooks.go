package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/mooring-iac/mooring/cmd/mooring/serverconfig"
	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/internal/web"
	"github.com/mooring-iac/mooring/runner"
)

// hook takes the webhooks of the repositories that have a secret for them. What one
// says is only a reason to look sooner. A repository that is not known takes as long as
// a wrong signature does.
func hook(cfg *serverconfig.Config, r *runner.Runner, log *slog.Logger) web.Hook {
	type receiver struct {
		kind               forge.Kind
		secret, repository string
	}
	known := map[string]receiver{}
	for _, repo := range cfg.Repositories {
		if f := repo.Forge; f != nil && f.WebhookSecret != "" {
			known[repo.Name] = receiver{forge.Kind(f.Kind), f.WebhookSecret, f.Repository}
		}
	}
	nobody := receiver{kind: forge.Gitea, secret: "nobody knows this, and nothing follows from it"}
	return func(_ context.Context, name string, header http.Header, body []byte) int {
		to, ok := known[name]
		if !ok {
			to = nobody
		}
		h, err := forge.ParseHook(to.kind, to.secret, header, body)
		if err != nil || !ok {
			if ok {
				log.Warn("a webhook is not taken", "repository", name, "error", err)
			}
			if ok && !errors.Is(err, forge.ErrSignature) {
				return http.StatusBadRequest
			}
			return http.StatusNotFound
		}
		if !strings.EqualFold(h.Repository, to.repository) && (h.Pushed || h.Number > 0) {
			log.Warn("a webhook of another repository is not taken", "repository", name, "of", h.Repository)
			return http.StatusNotFound
		}
		log.Debug("webhook", "repository", name, "event", h.Event, "pull_request", h.Number)
		if h.Pushed || h.Number > 0 {
			r.Hint(name, h.Pushed)
		}
		return http.StatusAccepted
	}
}
