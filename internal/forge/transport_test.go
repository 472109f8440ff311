package forge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

const token = "tok/en+0123456789"

// wired is a transport that authorizes with token, and the address of a server that
// answers with h.
func wired(t *testing.T, h http.HandlerFunc) (*transport, string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	root, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	wire, err := newTransport(Config{Token: token, UserAgent: "mooring/1", Now: func() time.Time { return noon }}, root, func(r *http.Request) error {
		r.Header.Set("Authorization", "token "+token)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return wire, server.URL
}

func get(t *testing.T, wire *transport, address string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := wire.client().Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestRequestsSayWhoAsks(t *testing.T) {
	wire, at := wired(t, func(rw http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintln(rw, r.UserAgent(), r.Header.Get("Authorization"))
	})
	if body, err := get(t, wire, at); err != nil || body != "mooring/1 token "+token+"\n" {
		t.Error(body, err)
	}
}

func TestConditionalRequests(t *testing.T) {
	version, bodies := "1", 0
	wire, at := wired(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("ETag", `"`+version+`"`)
		if r.Header.Get("If-None-Match") == `"`+version+`"` {
			rw.WriteHeader(http.StatusNotModified)
			return
		}
		bodies++
		rw.Header().Set("Link", version)
		_, _ = io.WriteString(rw, r.URL.Path+" "+version)
	})
	for _, want := range []struct {
		path, version string
		bodies        int
	}{{"/a", "1", 1}, {"/a", "1", 1}, {"/b", "1", 2}, {"/a", "2", 3}, {"/a", "2", 3}, {"/b", "2", 4}} {
		version = want.version
		body, err := get(t, wire, at+want.path)
		if err != nil || body != want.path+" "+want.version || bodies != want.bodies {
			t.Errorf("%+v: %q after %d bodies, %v", want, body, bodies, err)
		}
	}
}

func TestKeptAnswersAreBounded(t *testing.T) {
	var s answers
	big := strings.Repeat("x", maxKept)
	for i := range 2 * maxAnswers {
		req := httptest.NewRequest(http.MethodGet, fmt.Sprintf("/%d", i), nil)
		s.keep(req, &answer{status: 200, header: http.Header{"Etag": {"a"}}, body: []byte(big)})
		s.keep(req, &answer{status: 200, header: http.Header{"Etag": {"b"}}, body: []byte(big)})
	}
	last := httptest.NewRequest(http.MethodGet, fmt.Sprintf("/%d", 2*maxAnswers-1), nil)
	if s.size > maxKeptAll || len(s.by) != maxKeptAll/maxKept || len(s.order) != len(s.by) || s.condition(last) == nil {
		t.Errorf("%d answers of %d bytes", len(s.by), s.size)
	}
	for i := range 2 * maxAnswers {
		s.keep(httptest.NewRequest(http.MethodGet, fmt.Sprintf("/small/%d", i), nil), &answer{status: 200, header: http.Header{"Etag": {"a"}}, body: []byte("x")})
	}
	if len(s.by) != maxAnswers || s.size != maxAnswers {
		t.Errorf("%d answers of %d bytes", len(s.by), s.size)
	}
	s = answers{}
	s.keep(httptest.NewRequest(http.MethodPost, "/", nil), &answer{status: 200, header: http.Header{"Etag": {"a"}}})
	s.keep(httptest.NewRequest(http.MethodGet, "/", nil), &answer{status: 200, header: http.Header{"Etag": {"a"}}, body: []byte(big + "x")})
	s.keep(httptest.NewRequest(http.MethodGet, "/", nil), &answer{status: 200})
	if len(s.by) != 0 {
		t.Errorf("kept what is not to be kept: %d", len(s.by))
	}
}

func TestTheTokenGoesNowhereElse(t *testing.T) {
	var seen atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen.Add(1) }))
	t.Cleanup(other.Close)
	wire, at := wired(t, func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(rw, r, other.URL, http.StatusTemporaryRedirect)
		case "/renamed":
			http.Redirect(rw, r, "/here", http.StatusMovedPermanently)
		case "/circle":
			http.Redirect(rw, r, "/circle", http.StatusFound)
		case "/here":
			_, _ = io.WriteString(rw, r.Method+r.Header.Get("Authorization"))
		}
	})
	if body, err := get(t, wire, at+"/renamed"); err != nil || body != "GETtoken "+token {
		t.Errorf("a read within the forge: %q, %v", body, err)
	}
	if _, err := get(t, wire, at+"/away"); !errors.Is(err, ErrRefused) {
		t.Errorf("sent away: %v", err)
	}
	if _, err := get(t, wire, at+"/circle"); err == nil {
		t.Error("sent in circles, and came back")
	}
	if _, err := get(t, wire, other.URL); !errors.Is(err, ErrRefused) {
		t.Errorf("another address: %v", err)
	}
	if resp, err := wire.client().Post(at+"/renamed", "application/json", strings.NewReader("{}")); !errors.Is(err, ErrRefused) {
		t.Errorf("a write is sent on as a read: %v, %v", resp, err)
	}
	if seen.Load() != 0 {
		t.Errorf("%d requests went elsewhere", seen.Load())
	}
}

func TestAnswersHaveAnEnd(t *testing.T) {
	wire, at := wired(t, func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/long":
			_, _ = io.WriteString(rw, strings.Repeat("x", 1001))
		case "/cut":
			rw.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(rw, "cut")
		case "/never":
			<-r.Context().Done()
		}
	})
	wire.maxAnswer = 1000
	if _, err := get(t, wire, at+"/long"); !errors.Is(err, ErrRefused) {
		t.Errorf("too long: %v", err)
	}
	if _, err := get(t, wire, at+"/cut"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("cut off: %v", err)
	}
	wire.patience = 10 * time.Millisecond
	if _, err := get(t, wire, at+"/never"); !errors.Is(err, ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
}

func TestLimits(t *testing.T) {
	at := func(d time.Duration) string { return fmt.Sprint(noon.Add(d).Unix()) }
	for name, c := range map[string]struct {
		status int
		body   string
		header []string
		waits  time.Duration // how long others wait; 0 is not at all
	}{
		"in seconds":              {status: 429, header: []string{"Retry-After", "30"}, waits: 30 * time.Second},
		"as a date":               {status: 429, header: []string{"Retry-After", noon.Add(90 * time.Second).Format(http.TimeFormat)}, waits: 90 * time.Second},
		"of zero":                 {status: 429, header: []string{"Retry-After", "0"}, waits: time.Second},
		"of minus one":            {status: 429, header: []string{"Retry-After", "-1"}, waits: time.Second},
		"for years":               {status: 429, header: []string{"Retry-After", "999999999"}, waits: time.Hour},
		"junk":                    {status: 429, header: []string{"Retry-After", "soon"}, waits: time.Minute},
		"unsaid":                  {status: 429, waits: time.Minute},
		"GitHub's":                {status: 403, header: []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", at(7 * time.Minute)}, waits: 7 * time.Minute},
		"GitHub's in 429":         {status: 429, header: []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", at(7 * time.Minute)}, waits: 7 * time.Minute},
		"GitHub's second":         {status: 403, header: []string{"Retry-After", "60", "X-RateLimit-Remaining", "4999"}, waits: time.Minute},
		"GitHub's second, unsaid": {status: 403, body: `{"documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`, waits: time.Minute},
		"GitLab's":                {status: 429, header: []string{"RateLimit-Remaining", "0", "RateLimit-Reset", at(40 * time.Second), "Retry-After", "41"}, waits: 41 * time.Second},
		"a proxy's":               {status: 503, header: []string{"Retry-After", "5"}, waits: 5 * time.Second},
		"the last of a budget":    {status: 200, header: []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", at(time.Minute)}, waits: time.Minute},
		"a budget of before":      {status: 200, header: []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", at(-time.Minute)}},
		"enough left":             {status: 200, header: []string{"X-RateLimit-Remaining", "1", "X-RateLimit-Reset", at(time.Minute)}},
		"a permission":            {status: 403, header: []string{"X-RateLimit-Remaining", "12", "X-RateLimit-Reset", at(time.Minute)}},
		"down":                    {status: 503},
	} {
		t.Run(name, func(t *testing.T) {
			asked, now := 0, noon
			wire, address := wired(t, func(rw http.ResponseWriter, r *http.Request) {
				asked++
				if asked > 1 {
					return
				}
				for i := 0; i < len(c.header); i += 2 {
					rw.Header().Set(c.header[i], c.header[i+1])
				}
				rw.WriteHeader(c.status)
				_, _ = io.WriteString(rw, c.body)
			})
			wire.now = func() time.Time { return now }
			_, err := get(t, wire, address)
			var limit *LimitError
			if limited := errors.As(err, &limit); limited != (c.waits > 0 && c.status != 200) {
				t.Errorf("answered %v", err)
			}
			if c.waits == 0 {
				if _, err := get(t, wire, address); err != nil || asked != 2 {
					t.Errorf("a call after it: %v, %d asked", err, asked)
				}
				return
			}
			now = noon.Add(c.waits - time.Millisecond)
			if _, err := get(t, wire, address); !errors.As(err, &limit) || !limit.Until.Equal(noon.Add(c.waits)) || asked != 1 {
				t.Errorf("just before it is over: %v, %d asked", err, asked)
			}
			now = noon.Add(c.waits)
			if _, err := get(t, wire, address); err != nil || asked != 2 {
				t.Errorf("when it is over: %v, %d asked", err, asked)
			}
		})
	}
}

func TestCABundle(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	root, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	nobody := func(*http.Request) error { return nil }
	open := func(bundle []byte) (*transport, error) { return newTransport(Config{CABundle: bundle}, root, nobody) }
	wire, err := open(pemOf(server.Certificate().Raw))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, wire, server.URL); err != nil {
		t.Error(err)
	}
	if wire, err = open(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, wire, server.URL); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	if _, err = open([]byte("junk")); err == nil || !strings.Contains(err.Error(), "ca_bundle") {
		t.Errorf("a bundle of nothing: %v", err)
	}
}
