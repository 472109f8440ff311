package forge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// asApp is Mooring as the fake's App, both by one clock.
func asApp(t *testing.T, change func(*Config)) (*fakeGitHub, *Forge, *time.Time) {
	f := newFakeGitHub(t)
	app := newFakeApp(t, f)
	now := time.Date(2026, 11, 26, 15, 0, 0, 0, time.UTC)
	f.clock = func() time.Time { return now }
	cfg := gitHubConfig(f)
	cfg.Token, cfg.App, cfg.Now = "", &App{ID: app.id, PrivateKey: app.pem()}, f.clock
	if change != nil {
		change(&cfg)
	}
	return f, must(New(cfg))(t), &now
}

func TestGitHubFakeAsApp(t *testing.T) {
	f := newFakeGitHub(t)
	app := newFakeApp(t, f)
	cfg := gitHubConfig(f)
	cfg.Token, cfg.App = "", &App{ID: app.id, PrivateKey: app.pem()}
	suite(t, gitHubWorld(f, cfg), gitHubTraits())
}

func TestAppIsItsBot(t *testing.T) {
	f, forge, _ := asApp(t, nil)
	if me := must(forge.Self(t.Context()))(t); me.ID != f.bot || me.Login != "mooring-acme[bot]" {
		t.Errorf("%+v", me)
	}
}

func TestAppTokenIsRenewedBeforeItEnds(t *testing.T) {
	f, forge, now := asApp(t, nil)
	for _, c := range []struct {
		after time.Duration
		given int
	}{{0, 1}, {54 * time.Minute, 1}, {56 * time.Minute, 2}, {100 * time.Minute, 2}, {3 * time.Hour, 3}} {
		*now = time.Date(2026, 11, 26, 15, 0, 0, 0, time.UTC).Add(c.after)
		if _, err := forge.PullRequests(t.Context()); err != nil {
			t.Errorf("after %s: %v", c.after, err)
		}
		if f.app.given != c.given {
			t.Errorf("after %s: %d tokens, want %d", c.after, f.app.given, c.given)
		}
	}
	if n := f.seen("GET", "/repos/acme/infra/installation"); n != 1 {
		t.Errorf("the installation was looked up %d times", n)
	}
}

func TestAppTokenIsAskedForOnce(t *testing.T) {
	f, forge, _ := asApp(t, func(cfg *Config) { cfg.App.Installation = 99 })
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := forge.PullRequests(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if f.app.given != 1 || f.seen("GET", "/installation") != 0 {
		t.Errorf("%d tokens, by %v", f.app.given, f.requests)
	}
}

func TestAppTokenThatEndsEarly(t *testing.T) {
	f, forge, _ := asApp(t, nil)
	if _, err := forge.PullRequests(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.locked(func() { clear(f.app.tokens) })
	if _, err := forge.PullRequests(t.Context()); !errors.Is(err, ErrDenied) {
		t.Errorf("revoked: %v", err)
	}
	if _, err := forge.PullRequests(t.Context()); err != nil || f.app.given != 2 {
		t.Errorf("then: %v with %d tokens", err, f.app.given)
	}
}

func TestAppWithWrongClockKeyOrInstallation(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(other)})
	for what, c := range map[string]struct {
		change func(*Config)
		want   error
		words  string
	}{
		"another key":             {func(cfg *Config) { cfg.App.PrivateKey = text }, ErrDenied, "could not be decoded"},
		"another id":              {func(cfg *Config) { cfg.App.ID = 1 }, ErrDenied, "iss"},
		"a clock that is behind":  {func(cfg *Config) { cfg.Now = behind(cfg.Now, 10*time.Minute) }, ErrDenied, "exp"},
		"a clock that is ahead":   {func(cfg *Config) { cfg.Now = behind(cfg.Now, -2*time.Minute) }, ErrDenied, "iat"},
		"another installation":    {func(cfg *Config) { cfg.App.Installation = 1 }, ErrNotFound, "installation 1"},
		"a clock a little behind": {func(cfg *Config) { cfg.Now = behind(cfg.Now, 50*time.Second) }, nil, ""},
		"a clock a little ahead":  {func(cfg *Config) { cfg.Now = behind(cfg.Now, -50*time.Second) }, nil, ""},
	} {
		_, forge, _ := asApp(t, c.change)
		_, err := forge.PullRequests(t.Context())
		if !errors.Is(err, c.want) || c.want != nil && !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "eyJ") {
			t.Errorf("%s: %v shows a JWT", what, err)
		}
	}
}

func behind(now func() time.Time, by time.Duration) func() time.Time {
	return func() time.Time { return now().Add(-by) }
}

func TestAppTokenIsNotShown(t *testing.T) {
	f, forge, _ := asApp(t, nil)
	if _, err := forge.PullRequests(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.locked(func() {
		f.broken = func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write([]byte(`{"message":"who are you, ` + r.Header.Get("Authorization") + `?"}`))
			return true
		}
	})
	if _, err := forge.PullRequests(t.Context()); err == nil || strings.Contains(err.Error(), "ghs_") || !strings.Contains(err.Error(), "***") {
		t.Errorf("%v", err)
	}
}

func TestAppLimitOfItsOwn(t *testing.T) {
	f, forge, now := asApp(t, nil)
	f.locked(func() {
		f.broken = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/access_tokens") {
				return false
			}
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusForbidden)
			return true
		}
	})
	var limit *LimitError
	if _, err := forge.PullRequests(t.Context()); !errors.As(err, &limit) || !limit.Until.Equal(now.Add(30*time.Second)) {
		t.Errorf("%v", err)
	}
}

func TestAppKeys(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	pkcs8 := must(x509.MarshalPKCS8PrivateKey(key))(t)
	for what, text := range map[string][]byte{"PKCS #1": block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), "PKCS #8": block("PRIVATE KEY", pkcs8)} {
		if got, err := readKey(text); err != nil || !got.Equal(key) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, text := range map[string][]byte{
		"nothing":     nil,
		"no PEM":      []byte("hunter2"),
		"no key":      block("PRIVATE KEY", []byte("hunter2")),
		"another key": block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(curve))(t)),
	} {
		_, err := New(Config{Kind: GitHub, Repository: "acme/infra", App: &App{ID: 1, PrivateKey: text}})
		if err == nil || !strings.Contains(err.Error(), "private_key") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
