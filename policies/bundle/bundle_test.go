package bundle

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

const policy = "package main\n\ndeny contains \"no\" if input.x\n"

// pair makes a key: the private part to sign with, the public one for the configuration.
func pair(t *testing.T) (private, public string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub}))
}

// made is a bundle; with a key it is signed, within the scope.
func made(t *testing.T, text, private, scope string) []byte {
	t.Helper()
	b := bundle.Bundle{
		Manifest: bundle.Manifest{Revision: "r1"},
		Data:     map[string]any{"limits": map[string]any{"most": "3"}},
		Modules:  []bundle.ModuleFile{{URL: "/p/deny.rego", Path: "/p/deny.rego", Raw: []byte(text), Parsed: ast.MustParseModule(text)}},
	}
	b.Manifest.Init()
	if private != "" {
		signing := bundle.NewSigningConfig(private, "ES256", "")
		if scope != "" {
			claims := filepath.Join(t.TempDir(), "claims.json")
			if err := os.WriteFile(claims, []byte(`{"scope":"`+scope+`"}`), 0o600); err != nil {
				t.Fatal(err)
			}
			signing = bundle.NewSigningConfig(private, "ES256", claims)
		}
		if err := b.GenerateSignature(signing, "somebody", false); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := bundle.NewWriter(&out).UseModulePath(true).Write(b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func file(t *testing.T, body []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "bundle.tar.gz")
	if err := os.WriteFile(name, body, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestASignedFile(t *testing.T) {
	private, public := pair(t)
	_, other := pair(t)
	b, err := Source{Location: file(t, made(t, policy, private, "")), PublicKeys: []string{other, public}}.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := fs.ReadFile(b.Files, "p/deny.rego")
	if err != nil || string(text) != policy {
		t.Errorf("policy %q, %v", text, err)
	}
	data, err := fs.ReadFile(b.Files, "data.json")
	if err != nil || !strings.Contains(string(data), `"limits":{"most":"3"}`) {
		t.Errorf("data %s, %v", data, err)
	}
	if b.Revision != "r1" {
		t.Errorf("revision %q", b.Revision)
	}
}

func TestWhatIsNotGoodEnough(t *testing.T) {
	private, public := pair(t)
	stranger, _ := pair(t)
	good := made(t, policy, private, "")
	tests := []struct {
		name   string
		source Source
		want   string
	}{
		{"no key", Source{Location: file(t, good)}, "no public key"},
		{"signed by another", Source{Location: file(t, made(t, policy, stranger, "")), PublicKeys: []string{public}}, "not signed"},
		{"not signed at all", Source{Location: file(t, made(t, policy, "", "")), PublicKeys: []string{public}}, "not signed"},
		{"another scope", Source{Location: file(t, made(t, policy, private, "read")), PublicKeys: []string{public}, Scope: "write"}, "scope"},
		{"a scope that nobody asked for", Source{Location: file(t, made(t, policy, private, "read")), PublicKeys: []string{public}}, "scope"},
		{"a private key in the configuration", Source{Location: file(t, good), PublicKeys: []string{private}}, "not a public key"},
		{"a shared secret", Source{Location: file(t, good), PublicKeys: []string{public}, Algorithm: "HS256"}, "no public key"},
		{"too large", Source{Location: file(t, good), PublicKeys: []string{public}, MaxBytes: 10}, "larger than 10"},
		{"no bundle", Source{Location: file(t, []byte("hello")), PublicKeys: []string{public}}, "not a bundle"},
		{"no file", Source{Location: filepath.Join(t.TempDir(), "none"), PublicKeys: []string{public}}, "no such file"},
		{"plain http", Source{Location: "http://policies.example.com/b.tar.gz", PublicKeys: []string{public}}, "https"},
		{"a user in the address", Source{Location: "https://u:p@policies.example.com/b", PublicKeys: []string{public}}, "https"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := tt.source.Load(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v; want one with %q", err, tt.want)
			}
			if b.Files != nil {
				t.Error("it gave files")
			}
		})
	}
}

// server serves what body says, with an etag; nil: it fails.
type server struct {
	*httptest.Server
	body   []byte
	etag   string
	status int // 0: by body
	asked  []string
}

func serve(t *testing.T) *server {
	s := &server{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked = append(s.asked, r.Header.Get("If-None-Match"))
		switch {
		case s.status != 0:
			w.WriteHeader(s.status)
		case s.etag != "" && r.Header.Get("If-None-Match") == s.etag:
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("ETag", s.etag)
			w.Write(s.body)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestAnAddressThatFails(t *testing.T) {
	private, public := pair(t)
	stranger, _ := pair(t)
	s := serve(t)
	s.body, s.etag = made(t, policy, private, ""), `"one"`
	now := noon
	source := Source{
		Location: s.URL + "/b.tar.gz?token=canary", PublicKeys: []string{public}, Cache: t.TempDir(), MaxAge: time.Hour,
		Client: s.Client(), Now: func() time.Time { return now },
	}
	load := func(ctx context.Context) (Bundle, error) {
		b, err := source.Load(ctx)
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the error says the token: %v", err)
		}
		return b, err
	}
	if b, err := load(t.Context()); err != nil || b.Stale != nil {
		t.Fatalf("first: %v, stale %v", err, b.Stale)
	}
	now = now.Add(30 * time.Minute)
	if b, err := load(t.Context()); err != nil || !b.Checked.Equal(now) {
		t.Fatalf("not modified: %v, checked %s", err, b.Checked)
	}
	if len(s.asked) != 2 || s.asked[1] != `"one"` {
		t.Errorf("asked with %q", s.asked)
	}

	s.status = http.StatusInternalServerError
	now = now.Add(59 * time.Minute)
	if b, err := load(t.Context()); err != nil || b.Stale == nil || b.Files == nil {
		t.Fatalf("young enough: %v, stale %v", err, b.Stale)
	}
	now = now.Add(2 * time.Minute)
	if b, err := load(t.Context()); err == nil || b.Files != nil {
		t.Fatalf("too old, and it was used")
	}

	s.status, s.body, s.etag = 0, made(t, policy, stranger, ""), `"two"`
	if _, err := load(t.Context()); !errors.Is(err, ErrUnsigned) {
		t.Fatalf("signed by a stranger: %v", err)
	}
	now = noon.Add(time.Hour)
	if b, err := load(t.Context()); err != nil || !errors.Is(b.Stale, ErrUnsigned) {
		t.Fatalf("signed by a stranger, with a young one kept: %v, stale %v", err, b.Stale)
	}
}

func TestAKeptBundleThatSomebodyChanged(t *testing.T) {
	private, public := pair(t)
	stranger, _ := pair(t)
	s := serve(t)
	s.body = made(t, policy, private, "")
	source := Source{Location: s.URL, PublicKeys: []string{public}, Cache: t.TempDir(), MaxAge: time.Hour, Client: s.Client(), Now: func() time.Time { return noon }}
	if _, err := source.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := source.keep(made(t, policy, stranger, ""), "", noon); err != nil {
		t.Fatal(err)
	}
	s.status = http.StatusBadGateway
	if b, err := source.Load(t.Context()); err == nil || b.Files != nil {
		t.Fatal("a kept bundle that a stranger signed was used")
	}
}
