package forge

import "testing"

func gitLabConfig(f *fakeGitLab) Config {
	return Config{Kind: GitLab, URL: f.server, Repository: gitLabProject, Token: gitLabToken}
}

func TestGitLabFake(t *testing.T) {
	f := newFakeGitLab(t)
	suite(t, gitLabWorld(f, gitLabConfig(f)), traits{changes: true, reviewCommit: true, fork: true, methods: []string{"merge", "squash"}})
}
