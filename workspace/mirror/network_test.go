package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

func TestPollIsOneRequestAndWritesNothing(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n"})
	server := githttp.New(t, filepath.Dir(repo.Dir))
	dir := t.TempDir()
	m := openIn(t, dir, mirror.Remote{URL: server.RepositoryURL("infra.git")})
	commit := fetch(t, m)
	before := snapshot(t, dir)
	server.ResetRequests()
	for range 3 {
		if _, err := m.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := githttp.Request{Method: "GET", Repository: "infra.git", Service: "git-upload-pack", Refs: true, Status: 200}
	if diff := cmp.Diff([]githttp.Request{want, want, want}, server.Requests()); diff != "" {
		t.Errorf("three polls (-want +got):\n%s", diff)
	}
	server.ResetRequests()
	fetchCommit(t, m, commit)
	if got := server.Requests(); len(got) != 0 {
		t.Errorf("a fetch of what is there asked %v", got)
	}
	if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
		t.Errorf("polling wrote (-before +after):\n%s", diff)
	}
}

// The bar: 20 ms of processor time on a remote with 100 refs.
func TestPollIsCheap(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n"})
	for i := range 100 {
		repo.SetRef(fmt.Sprintf("refs/heads/branch-%03d", i), repo.Head("main"))
	}
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			m := open(t, tr.serve(t, repo.Dir))
			const polls = 10
			start := cpu(t)
			for range polls {
				if _, err := m.Poll(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			spent := (cpu(t) - start) / polls
			t.Logf("%v of processor time a poll", spent)
			if limit := 20 * time.Millisecond * slowdown; spent > limit {
				t.Errorf("%v of processor time a poll, want at most %v", spent, limit)
			}
		})
	}
}

func TestPollsShareAConnection(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n"})
	handler, err := githttp.NewHandler(filepath.Dir(repo.Dir))
	if err != nil {
		t.Fatal(err)
	}
	var conns atomic.Int32
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	m := open(t, mirror.Remote{URL: server.URL + "/infra.git"})
	for range 5 {
		if _, err := m.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("5 polls used %d connections", n)
	}
}

const token = "tok/en+with%odd"

func TestToken(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n"})
	server := githttp.New(t, filepath.Dir(repo.Dir))
	server.RequireToken(token)
	plain := server.RepositoryURL("infra.git")
	good := map[string]mirror.Remote{
		"field":           {URL: plain, Token: token},
		"field with user": {URL: plain, Token: token, Username: "ada"},
		"in the URL":      {URL: server.RepositoryURLAs("infra.git", "ada", token)},
	}
	for name, remote := range good {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			m := openIn(t, dir, remote)
			checkout(t, m, fetch(t, m))
			if strings.Contains(m.URL(), "tok") {
				t.Errorf("URL() = %s", m.URL())
			}
			noSecretOnDisk(t, dir, token)
		})
	}
	bad := map[string]mirror.Remote{
		"none":           {URL: plain},
		"wrong":          {URL: plain, Token: "wr0ng-secret"},
		"wrong, in URL":  {URL: server.RepositoryURLAs("infra.git", "ada", "wr0ng-secret")},
		"no such branch": {URL: plain, Token: "wr0ng-secret", Branch: "x"},
	}
	for name, remote := range bad {
		t.Run(name, func(t *testing.T) {
			m := open(t, remote)
			_, err := m.Poll(t.Context())
			if !errors.Is(err, mirror.ErrAuth) || !strings.Contains(err.Error(), "token") {
				t.Errorf("poll: %v, want ErrAuth that speaks of the token", err)
			}
			without(t, err, "wr0ng-secret")
			err = m.Fetch(t.Context(), repo.Head("main"))
			if !errors.Is(err, mirror.ErrAuth) {
				t.Errorf("fetch: %v, want ErrAuth", err)
			}
			without(t, err, "wr0ng-secret")
		})
	}
}

func noSecretOnDisk(t *testing.T, dir, secret string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			if strings.Contains(string(content), form) || strings.Contains(path, form) {
				t.Errorf("%s holds the token", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRemoteThatDoesNotAnswer(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n"})
	t.Run("nobody listens", func(t *testing.T) {
		server := githttp.New(t, filepath.Dir(repo.Dir))
		m := open(t, mirror.Remote{URL: server.RepositoryURL("infra.git"), Token: token})
		server.Close()
		_, err := m.Poll(t.Context())
		if !errors.Is(err, mirror.ErrUnreachable) {
			t.Errorf("poll: %v, want ErrUnreachable", err)
		}
		without(t, err, token)
		if err := m.Fetch(t.Context(), repo.Head("main")); !errors.Is(err, mirror.ErrUnreachable) {
			t.Errorf("fetch: %v, want ErrUnreachable", err)
		}
	})
	t.Run("status", func(t *testing.T) {
		server := githttp.New(t, filepath.Dir(repo.Dir))
		m := open(t, mirror.Remote{URL: server.RepositoryURL("infra.git")})
		for status, want := range map[int]error{
			429: mirror.ErrUnreachable, 500: mirror.ErrUnreachable, 502: mirror.ErrUnreachable, 503: mirror.ErrUnreachable,
			401: mirror.ErrAuth, 403: mirror.ErrAuth, 404: mirror.ErrNotFound,
		} {
			server.FailNext(1, status)
			if _, err := m.Poll(t.Context()); !errors.Is(err, want) {
				t.Errorf("status %d: %v, want %v", status, err, want)
			}
		}
		server.FailNext(1, 410)
		if _, err := m.Poll(t.Context()); err == nil || errors.Is(err, mirror.ErrUnreachable) || !strings.Contains(err.Error(), "410") {
			t.Errorf("status 410: %v", err)
		}
		fetch(t, m) // and it is well again
	})
	t.Run("no such repository", func(t *testing.T) {
		server := githttp.New(t, filepath.Dir(repo.Dir))
		m := open(t, mirror.Remote{URL: server.RepositoryURL("other.git")})
		if _, err := m.Poll(t.Context()); !errors.Is(err, mirror.ErrNotFound) {
			t.Errorf("poll: %v, want ErrNotFound", err)
		}
	})
	t.Run("a web page, not a repository", func(t *testing.T) {
		page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<html>" + strings.Repeat("please log in ", 1000)))
		}))
		defer page.Close()
		_, err := open(t, mirror.Remote{URL: page.URL + "/infra.git"}).Poll(t.Context())
		if err == nil || len(err.Error()) > 400 {
			t.Errorf("poll: %v", err)
		}
	})
}

func TestHangingServer(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n"})
	free := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/midway") {
			_, _ = w.Write([]byte("001e# service=git-upload-pack\n0000"))
			_ = http.NewResponseController(w).Flush()
		}
		<-free
	}))
	defer hangs.Close()
	defer close(free)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	ssh := serveSSH(t)
	mute := ssh.remote(t, repo.Dir)
	ssh.addr = silent.Addr().String()
	mute.URL, mute.KnownHosts = "ssh://git@"+ssh.addr+"/infra.git", ssh.knownHosts(t, ssh.hostKey.PublicKey())

	for name, remote := range map[string]mirror.Remote{
		"before the answer":  {URL: hangs.URL + "/infra.git", Token: token},
		"within the answer":  {URL: hangs.URL + "/midway.git", Token: token},
		"ssh before it says": mute,
	} {
		t.Run(name, func(t *testing.T) {
			m := open(t, remote)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := m.Poll(ctx)
			if !errors.Is(err, mirror.ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("poll: %v, want ErrUnreachable and DeadlineExceeded", err)
			}
			ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := m.Fetch(ctx, strings.Repeat("12", 20)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("fetch: %v, want DeadlineExceeded", err)
			}
			ctx, cancel = context.WithCancel(t.Context())
			cancel()
			if _, err := m.Poll(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, mirror.ErrUnreachable) {
				t.Errorf("cancelled poll: %v, want Canceled alone", err)
			}
		})
	}
}

// A connection that breaks within the pack leaves nothing behind, and the next
// fetch works.
func TestFetchCutOff(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n", "big.bin": noise(1 << 20)})
	handler, err := githttp.NewHandler(filepath.Dir(repo.Dir))
	if err != nil {
		t.Fatal(err)
	}
	var cut atomic.Bool
	cut.Store(true)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && cut.Load() {
			w = &cutWriter{ResponseWriter: w, left: 300 << 10}
		}
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	dir := t.TempDir()
	m := openIn(t, dir, mirror.Remote{URL: server.URL + "/infra.git"})
	commit := repo.Head("main")
	if err := m.Fetch(t.Context(), commit); err == nil {
		t.Fatal("half a pack was taken for a whole one")
	} else if !errors.Is(err, mirror.ErrUnreachable) {
		t.Errorf("fetch: %v, want ErrUnreachable", err)
	}
	if m.Has(commit) {
		t.Error("the commit is there")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*/git/objects/[pi]*/*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	cut.Store(false)
	checkout(t, m, fetch(t, m))
}

type cutWriter struct {
	http.ResponseWriter
	left int
}

func (c *cutWriter) Write(p []byte) (int, error) {
	if c.left -= len(p); c.left < 0 {
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return c.ResponseWriter.Write(p)
}

// noise does not compress.
func noise(n int) string {
	b, state := make([]byte, n), uint32(1)
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = byte(state >> 24)
	}
	return string(b)
}

func TestRedirects(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n"})
	home := githttp.New(t, filepath.Dir(repo.Dir))
	home.RequireToken(token)
	open2 := githttp.New(t, filepath.Dir(repo.Dir)) // asks for no token

	// moved answers like a server whose repository lives elsewhere now, and
	// remembers who was told its token.
	moved := func(to string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, to+r.URL.RequestURI(), http.StatusMovedPermanently)
		}))
		t.Cleanup(s.Close)
		return s
	}
	t.Run("the token stays with its host", func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		spy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, r.Header.Get("Authorization"))
			target, _ := url.Parse(open2.URL)
			httputil.NewSingleHostReverseProxy(target).ServeHTTP(w, r)
		}))
		defer spy.Close()
		m := open(t, mirror.Remote{URL: moved(spy.URL).URL + "/infra.git", Token: token})
		fetch(t, m) // readable without a token: works, and tells it to nobody
		mu.Lock()
		defer mu.Unlock()
		if len(told) < 3 || strings.Join(told, "") != "" {
			t.Errorf("authorization seen by the other host: %q", told)
		}
	})
	t.Run("renamed on its own host", func(t *testing.T) {
		handler, err := githttp.NewHandler(filepath.Dir(repo.Dir))
		if err != nil {
			t.Fatal(err)
		}
		handler.RequireToken(token)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if rest, ok := strings.CutPrefix(r.URL.RequestURI(), "/old-name.git"); ok {
				http.Redirect(w, r, "/infra.git"+rest, http.StatusMovedPermanently)
				return
			}
			handler.ServeHTTP(w, r)
		}))
		defer server.Close()
		fetch(t, open(t, mirror.Remote{URL: server.URL + "/old-name.git", Token: token}))
	})
	t.Run("a private repository elsewhere", func(t *testing.T) {
		m := open(t, mirror.Remote{URL: moved(home.URL).URL + "/infra.git", Token: token})
		if _, err := m.Poll(t.Context()); !errors.Is(err, mirror.ErrAuth) {
			t.Errorf("poll: %v, want ErrAuth", err)
		}
	})
	t.Run("in circles", func(t *testing.T) {
		var round *httptest.Server
		round = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, round.URL+r.URL.RequestURI(), http.StatusFound)
		}))
		defer round.Close()
		if _, err := open(t, mirror.Remote{URL: round.URL + "/infra.git"}).Poll(t.Context()); err == nil || errors.Is(err, mirror.ErrUnreachable) {
			t.Errorf("poll: %v", err)
		}
	})
}

func TestHTTPSWithOwnAuthority(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n"})
	handler, err := githttp.NewHandler(filepath.Dir(repo.Dir))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(handler)
	defer server.Close()
	_, err = open(t, mirror.Remote{URL: server.URL + "/infra.git"}).Poll(t.Context())
	if err == nil || !strings.Contains(err.Error(), "CA bundle") || errors.Is(err, mirror.ErrUnreachable) {
		t.Errorf("poll of an unknown authority: %v", err)
	}
	fetch(t, open(t, mirror.Remote{URL: server.URL + "/infra.git", CABundle: pemOf(server.Certificate().Raw)}))
	if _, err := mirror.Open(t.TempDir(), mirror.Remote{URL: server.URL + "/infra.git", CABundle: []byte("nonsense")}); err == nil {
		t.Error("a CA bundle without certificate was accepted")
	}
}
