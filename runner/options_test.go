package runner

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOneRepositoryHasOnePlace(t *testing.T) {
	tests := []struct{ url, host, repository string }{
		{"https://git.example.com/acme/infra.git", "git.example.com", "acme/infra"},
		{"https://git.example.com:443/acme/infra", "git.example.com", "acme/infra"},
		{"ssh://git@Git.Example.com/acme/infra.git", "git.example.com", "acme/infra"},
		{"git@git.example.com:acme/infra.git", "git.example.com", "acme/infra"},
		{"git.example.com:acme/infra", "git.example.com", "acme/infra"},
		{"https://git.example.com:8443/acme/infra", "git.example.com:8443", "acme/infra"},
		{"/srv/git/infra.git", "", "/srv/git/infra.git"},
		{"file:///srv/git/infra.git", "", "/srv/git/infra.git"},
		{"/srv/work/.git", "", "/srv/work"},
	}
	for _, tt := range tests {
		if host, repository := place(tt.url); host != tt.host || repository != tt.repository {
			t.Errorf("place(%q) = %q, %q; want %q, %q", tt.url, host, repository, tt.host, tt.repository)
		}
	}
}

func TestEnvironmentIsAnAllowlist(t *testing.T) {
	environ := []string{"AWS_REGION=eu-west-1", "AWS_SECRET_ACCESS_KEY=s", "GITEA_TOKEN=t", "PATH=/bin", "odd", "=x"}
	tests := []struct {
		patterns []string
		want     map[string]string
	}{
		{nil, map[string]string{}},
		{[]string{"PATH"}, map[string]string{"PATH": "/bin"}},
		{[]string{"AWS_*"}, map[string]string{"AWS_REGION": "eu-west-1", "AWS_SECRET_ACCESS_KEY": "s"}},
		{[]string{"*"}, map[string]string{}}, // a bare star would be no allowlist
		{[]string{"GITEA"}, map[string]string{}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, environment(environ, tt.patterns)); diff != "" {
			t.Errorf("environment(%v) (-want +got):\n%s", tt.patterns, diff)
		}
	}
}
