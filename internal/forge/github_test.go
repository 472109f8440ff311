package forge

import (
	"testing"
)

func gitHubConfig(f *fakeGitHub) Config {
	return Config{Kind: GitHub, URL: f.server, Repository: "acme/infra", Token: gitHubToken}
}

func gitHubTraits() traits {
	return traits{dismissed: true, changes: true, reviewCommit: true, fork: true, methods: []string{"merge", "squash", "rebase"}}
}

func TestGitHubFake(t *testing.T) {
	f := newFakeGitHub(t)
	suite(t, gitHubWorld(f, gitHubConfig(f)), gitHubTraits())
}

func TestGitHubFakeAsApp(t *testing.T) {
	f := newFakeGitHub(t)
	app := newFakeApp(t, f)
	cfg := gitHubConfig(f)
	cfg.Token, cfg.App = "", &App{ID: app.id, PrivateKey: app.pem()}
	suite(t, gitHubWorld(f, cfg), gitHubTraits())
}
