package forge

import (
	"net/http"
	"testing"
)

func (w *giteaWorld) issue(t *testing.T, by User, title, body string) int {
	t.Helper()
	var made struct{ Number int }
	w.server.Call(w.account(t, by), http.MethodPost, "repos/"+w.repo.FullName()+"/issues", map[string]any{"title": title, "body": body}, &made)
	return made.Number
}

func (w *giteaWorld) said(t *testing.T, issue int) (all []string) {
	t.Helper()
	var said []struct{ Body string }
	w.server.Call(w.owner, http.MethodGet, w.at(t, issue, "/issues/")+"/comments", nil, &said)
	for _, c := range said {
		all = append(all, c.Body)
	}
	return all
}

func (w *giteaWorld) tip(t *testing.T, branch string) string {
	t.Helper()
	return w.repo.Head(branch)
}

func (w *giteaWorld) parent(t *testing.T, commit string) string {
	t.Helper()
	var said struct{ Parents []struct{ SHA string } }
	w.server.Call(w.owner, http.MethodGet, "repos/"+w.repo.FullName()+"/git/commits/"+commit, nil, &said)
	if len(said.Parents) != 1 {
		t.Fatalf("%s has %d parents", commit, len(said.Parents))
	}
	return said.Parents[0].SHA
}

func (w *giteaWorld) read(t *testing.T, commit, file string) string {
	t.Helper()
	var said struct{ Content []byte }
	w.server.Call(w.owner, http.MethodGet, "repos/"+w.repo.FullName()+"/contents/"+file+"?ref="+commit, nil, &said)
	return string(said.Content)
}
