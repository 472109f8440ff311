package forge

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
)

// What Gitea is asked for where a branch is new, where it is there, and where the server is too old to move it.
func TestGiteaPushesWithTheFilesDigests(t *testing.T) {
	type operation struct{ Operation, Path, Content, SHA string }
	type request struct {
		Files     []operation
		Branch    string
		NewBranch string `json:"new_branch"`
		ForcePush bool   `json:"force_push"`
	}
	const name = BranchPrefix + "infra"
	base := request{Files: []operation{{"update", "a/b c.tf", "eAo=", "sha-of-" + commit}}, Branch: "main", NewBranch: name, ForcePush: true}
	onTop := request{Files: []operation{{"update", "a/b c.tf", "eAo=", "sha-of-" + name}}, Branch: name}
	for what, c := range map[string]struct {
		says map[string]int // branch that is written → status
		want []request
		err  error
	}{
		"new or moved":       {want: []request{base}},
		"of an older server": {says: map[string]int{"main": http.StatusUnprocessableEntity}, want: []request{base, onTop}},
		"changed meanwhile":  {says: map[string]int{"main": http.StatusConflict}, want: []request{base}, err: ErrRefused},
		"not allowed":        {says: map[string]int{"main": http.StatusForbidden}, want: []request{base}, err: ErrDenied},
	} {
		var asked []request
		_, address := wired(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			const contents = "/api/v1/repos/acme/infra/contents"
			switch {
			case r.Method == http.MethodGet && r.URL.Path == contents+"/a/b c.tf":
				_ = json.NewEncoder(w).Encode(map[string]any{"type": "file", "sha": "sha-of-" + r.URL.Query().Get("ref")})
			case r.Method == http.MethodPost && r.URL.Path == contents:
				var got request
				if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
					t.Error(err)
				}
				asked = append(asked, got)
				switch status := c.says[got.Branch]; status {
				case 0:
					w.WriteHeader(http.StatusCreated)
					_ = json.NewEncoder(w).Encode(map[string]any{"commit": map[string]any{"sha": strings.Repeat("ab", 20)}})
				case http.StatusUnprocessableEntity:
					w.WriteHeader(status)
					_, _ = w.Write([]byte(`{"message":"branch already exists [name: ` + name + `]"}`))
				default:
					w.WriteHeader(status)
					_, _ = w.Write([]byte(`{"message":"sha does not match"}`))
				}
			default:
				t.Errorf("%s: %s %s", what, r.Method, r.URL)
				w.WriteHeader(http.StatusNotFound)
			}
		})
		f := must(New(Config{Kind: Gitea, URL: address, Repository: "acme/infra", Token: token}))(t)
		got, err := f.Push(t.Context(), Branch{Name: name, Base: commit, BaseRef: "main", Files: map[string][]byte{"a/b c.tf": []byte("x\n")}, Message: "x"})
		if !errors.Is(err, c.err) || err == nil && got != strings.Repeat("ab", 20) {
			t.Errorf("%s: %s, %v", what, got, err)
		}
		a, _ := json.Marshal(asked)
		b, _ := json.Marshal(c.want)
		if string(a) != string(b) {
			t.Errorf("%s: asked for\n%s\nwant\n%s", what, a, b)
		}
	}
}
