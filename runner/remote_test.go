package runner

import (
	"errors"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

func TestEmptyRepositoryWaitsForItsFirstCommit(t *testing.T) {
	f := newFixture(t, nil)
	f.expect("")
	f.git.Write("first", map[string]string{"a/main.tf": module(`"a"`)})
	f.expect("a applied")
}

func TestRemoteThatIsAwayFailsTheSyncAndNothingElse(t *testing.T) {
	root := t.TempDir()
	githttp.NewRepo(t, filepath.Join(root, "infra.git"), map[string]string{"a/main.tf": module(`"a"`)})
	handler, err := githttp.NewHandler(root)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	f := newFixture(t, nil, func(o *Options) {
		o.Repositories[0].URL = server.URL + "/infra.git"
	})
	f.expect("a applied")
	handler.FailNext(1, 503)
	runs, err := f.r.Sync(t.Context(), SyncOptions{})
	if !errors.Is(err, mirror.ErrUnreachable) || len(runs) != 0 {
		t.Fatalf("sync with the remote away: %s, %v; want ErrUnreachable", summary(runs), err)
	}
	if err := f.r.Healthy(); err != nil {
		t.Errorf("the server is not healthy because of its remote: %v", err)
	}
	f.expect("")
}
