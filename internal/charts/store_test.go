package charts

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// registry answers as the distribution specification says, to those who have a token that it gave for their password.
type registry struct {
	*httptest.Server
	layer    []byte
	manifest []byte
	requests atomic.Int32
	blobs    string // where blobs are redirected to; "" serves them
	realm    string // "" is its own
}

func newRegistry(t *testing.T) *registry {
	r := &registry{layer: []byte("packed chart")}
	r.manifest = fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"layers":[{"mediaType":"application/vnd.cncf.helm.chart.provenance.v1.prov","digest":%q},{"mediaType":%q,"digest":%q}]}`,
		manifestType, sumOf(nil), chartType, sumOf(r.layer))
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	r.realm = r.URL + "/token"
	return r
}

func (r *registry) serve(w http.ResponseWriter, q *http.Request) {
	r.requests.Add(1)
	if q.URL.Path == "/token" {
		user, password, _ := q.BasicAuth()
		if user != "ada" || password != "secret" || q.URL.Query().Get("scope") != "repository:charts/web:pull" || q.URL.Query().Get("service") != "test" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"token":"pull-token"}`)
		return
	}
	if q.Header.Get("Authorization") != "Bearer pull-token" {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s",service="test",scope="repository:charts/web:pull"`, r.realm))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch q.URL.Path {
	case "/v2/charts/web/manifests/1.2.3_build":
		if q.Header.Get("Accept") != manifestType {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", manifestType)
		_, _ = w.Write(r.manifest)
	case "/v2/charts/web/blobs/" + sumOf(r.layer):
		if r.blobs != "" {
			http.Redirect(w, q, r.blobs, http.StatusTemporaryRedirect)
			return
		}
		_, _ = w.Write(r.layer)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (r *registry) host() string { return strings.TrimPrefix(r.URL, "http://") }

func (r *registry) ref() Ref {
	return Ref{Source: "oci://" + r.host() + "/charts/web", Version: "1.2.3+build", Digest: sumOf(r.layer)}
}

func (r *registry) store(t *testing.T, allow ...string) *Store {
	return NewStore(filepath.Join(t.TempDir(), "charts"), append(Allowlist{"oci://" + r.host() + "/charts/*"}, allow...),
		map[string]Login{r.host(): {"ada", "secret"}}, "test")
}

func TestChartOfARegistryIsFetchedOnceAndKept(t *testing.T) {
	r := newRegistry(t)
	s := r.store(t)
	file, err := s.Get(t.Context(), r.ref())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, r.layer) {
		t.Fatalf("kept %q, %v", got, err)
	}
	asked := r.requests.Load()
	if _, err := s.Get(t.Context(), r.ref()); err != nil || r.requests.Load() != asked {
		t.Errorf("the second time: %v, %d requests more", err, r.requests.Load()-asked)
	}
	// What was changed on disk is fetched again.
	if err := os.WriteFile(file, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), r.ref()); err != nil || r.requests.Load() == asked {
		t.Errorf("after damage: %v", err)
	}
	r.Close()
	if _, err := s.Get(t.Context(), r.ref()); err != nil {
		t.Errorf("with the registry gone: %v", err)
	}
	other := r.ref()
	other.Digest = sumOf([]byte("other"))
	if _, err := s.Get(t.Context(), other); !errors.Is(err, ErrUnavailable) {
		t.Errorf("what is not kept, with the registry gone: %v", err)
	}
	if n, _, err := s.Collect(time.Now().Add(-time.Hour), false); n != 0 || err != nil {
		t.Errorf("one that was just used: collected %d, %v", n, err)
	}
	if n, _, err := s.Collect(time.Now().Add(time.Hour), false); n != 1 || err != nil {
		t.Errorf("an old one: collected %d, %v", n, err)
	}
}

func TestChartsThatAreRefused(t *testing.T) {
	r := newRegistry(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		t.Errorf("%s was asked", q.URL)
	}))
	defer elsewhere.Close()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.Path {
		case "/away.tgz":
			http.Redirect(w, q, elsewhere.URL+"/web.tgz", http.StatusFound)
		case "/metadata.tgz":
			http.Redirect(w, q, "http://169.254.169.254/latest", http.StatusFound)
		case "/round.tgz":
			http.Redirect(w, q, "/round.tgz", http.StatusFound)
		case "/large.tgz":
			w.Header().Set("Content-Length", fmt.Sprint(maxArchive+1))
		case "/endless.tgz":
			for piece := make([]byte, 1<<20); q.Context().Err() == nil; {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		case "/web.tgz":
			_, _ = w.Write([]byte("web"))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer web.Close()
	s := r.store(t, web.URL+"/*")
	at := func(path string) Ref { return Ref{Source: web.URL + path, Digest: sumOf([]byte("web"))} }
	if _, err := s.Get(t.Context(), at("/web.tgz")); err != nil {
		t.Errorf("a good one: %v", err)
	}
	manifest := r.ref()
	manifest.Digest = sumOf(r.manifest)
	other := at("/web.tgz")
	other.Digest = sumOf([]byte("other"))
	for _, tt := range []struct {
		ref        Ref
		part, want string
	}{
		{other, "digest", "is not opened"},
		{manifest, "digest", "the digest of the manifest"},
		{at("/large.tgz?x"), "source", "query"},
		{at("/deep/web.tgz"), "source", "not on the server's allowlist"},
		{Ref{Source: elsewhere.URL + "/web.tgz", Digest: other.Digest}, "source", "not on the server's allowlist"},
		{Ref{Source: web.URL + "/a/../web.tgz", Digest: other.Digest}, "source", "not a plain one"},
		{Ref{Source: "http://charts.example.com/web.tgz", Digest: other.Digest}, "source", "use https"},
		{Ref{Source: "file:///etc/passwd", Digest: other.Digest}, "source", "names no host"},
		{Ref{Source: r.ref().Source, Digest: other.Digest}, "version", "named by its version"},
		{Ref{Source: web.URL + "/web.tgz"}, "digest", "is no digest"},
	} {
		_, err := s.Get(t.Context(), tt.ref)
		var fault *Fault
		if !errors.As(err, &fault) || fault.Part != tt.part || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %s: %s", tt.ref.Source, err, tt.part, tt.want)
		}
	}
	for path, want := range map[string]string{"/away.tgz": "redirects to " + elsewhere.URL, "/metadata.tgz": "redirects to", "/round.tgz": "more than 5 times",
		"/large.tgz": "32 MiB", "/endless.tgz": "32 MiB", "/none.tgz": "404"} {
		ref := at(path)
		ref.Digest = other.Digest
		if _, err := s.Get(t.Context(), ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", path, err, want)
		}
	}
	if kept, _ := os.ReadDir(s.dir); len(kept) != 1 {
		t.Errorf("%d files are kept, want the good one alone", len(kept))
	}
}

func TestCredentialsStayWithTheirHost(t *testing.T) {
	r := newRegistry(t)
	cdn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if got := q.Header.Get("Authorization"); got != "" {
			t.Errorf("the other host was told %q", got)
		}
		_, _ = w.Write(r.layer)
	}))
	defer cdn.Close()
	r.blobs = cdn.URL + "/blob?signature=x"
	if _, err := r.store(t).Get(t.Context(), r.ref()); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("blobs elsewhere: %v", err)
	}
	if _, err := r.store(t, cdn.URL+"/**").Get(t.Context(), r.ref()); err != nil {
		t.Errorf("blobs on a host that is allowed: %v", err)
	}
	r.realm = "http://127.0.0.2:1/token"
	if _, err := r.store(t).Get(t.Context(), r.ref()); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("a token from elsewhere: %v", err)
	}
}

func TestPatterns(t *testing.T) {
	for pattern, good := range map[string]bool{
		"oci://registry.example.com/charts/*": true, "https://charts.example.com/**": true, "http://127.0.0.1:5000/*": true,
		"https://*.example.com/**": false, "http://charts.example.com/*": false, "*": false, "https://charts.example.com": false,
		"https://a@charts.example.com/*": false, "https://charts.example.com/{a,b}": false, "file:///charts/*": false,
	} {
		if err := CheckPattern(pattern); (err == nil) != good {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}
