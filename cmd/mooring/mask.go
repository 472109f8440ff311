package main

import (
	"io"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/cmd/mooring/serverconfig"
	"github.com/mooring-iac/mooring/internal/notify"
	"github.com/mooring-iac/mooring/internal/terraform/redact"
)

// masked hides the server's own secrets in everything that is printed or logged.
// Runs hide theirs before they are recorded; this stands below all of it, for what
// comes in words of others: a remote, a cluster, the system.
type masked struct {
	w    io.Writer
	hide *redact.Redactor
}

// Write hides in one piece at a time: those who write here write whole lines.
func (m masked) Write(p []byte) (int, error) {
	if _, err := io.WriteString(m.w, m.hide.Text(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// out and err are standard output and standard error without secrets.
func (a *app) out() io.Writer { return masked{a.stdout, &a.hide} }
func (a *app) err() io.Writer { return masked{a.stderr, &a.hide} }

// hideSecrets makes known what must never be printed.
func (a *app) hideSecrets(cfg *serverconfig.Config) {
	a.hide.Add(cfg.Pages.Password)
	a.hide.Add(notify.Secrets(cfg.Notify)...)
	a.hide.Add(cfg.Heartbeat.Secrets()...)
	let := slices.Concat(cfg.Env, cfg.InitEnv, cfg.PlanEnv, cfg.ApplyEnv)
	for _, r := range cfg.Repositories {
		a.hide.Add(r.Token, string(r.SSHKey), r.SSHKeyPassphrase)
		if r.Forge != nil {
			a.hide.Add(r.Forge.Token, r.Forge.WebhookSecret)
			if r.Forge.App != nil {
				a.hide.Add(string(r.Forge.App.PrivateKey))
			}
		}
		let = slices.Concat(let, r.Env, r.InitEnv, r.PlanEnv, r.ApplyEnv)
		a.hide.Add(redact.FromEnv(r.PlanValues)...)
		a.hide.Add(redact.FromEnv(r.ApplyValues)...)
	}
	a.hide.Add(redact.FromEnv(cfg.PlanValues)...)
	a.hide.Add(redact.FromEnv(cfg.ApplyValues)...)
	for _, p := range cfg.Policies {
		a.hide.Add(p.Token)
	}
	for _, login := range cfg.Charts.Credentials {
		a.hide.Add(login.Password)
	}
	for _, kv := range a.environ {
		name, value, _ := strings.Cut(kv, "=")
		if slices.ContainsFunc(let, func(pattern string) bool {
			prefix, many := strings.CutSuffix(pattern, "*")
			return pattern == name || many && strings.HasPrefix(name, prefix)
		}) {
			a.hide.Add(redact.FromEnv(map[string]string{name: value})...)
		}
	}
}
