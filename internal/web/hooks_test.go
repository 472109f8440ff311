package web

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

func handler(t *testing.T, o Options) http.Handler {
	t.Helper()
	h, err := Handler(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func sign(body []byte) string {
	m := hmac.New(sha256.New, []byte("hook secret"))
	m.Write(body)
	return hex.EncodeToString(m.Sum(nil))
}

// signed is a hook as the program has one: a repository that is not there is
// checked with some secret, too.
func signed(got *[][]byte) Hook {
	return func(_ context.Context, repository string, header http.Header, body []byte) int {
		if !hmac.Equal([]byte(header.Get("X-Signature")), []byte(sign(body))) {
			return http.StatusUnauthorized
		}
		if repository != "infra" {
			return http.StatusNotFound
		}
		*got = append(*got, body)
		return http.StatusOK
	}
}

func TestHooks(t *testing.T) {
	var got [][]byte
	h := handler(t, Options{Hook: signed(&got)})
	payload := []byte(`{"clone_url":"https://evil.example/x"}` + "\xff\x00")
	big := bytes.Repeat([]byte("x"), maxHook)
	tests := []struct {
		name, method, path string
		body               []byte
		signature          string
		status             int
	}{
		{"signed", "POST", "/hooks/infra", payload, sign(payload), 202},
		{"1 MiB", "POST", "/hooks/infra", big, sign(big), 202},
		{"a byte more", "POST", "/hooks/infra", append(big, 'x'), "", 413},
		{"a byte more for nobody", "POST", "/hooks/nope", append(big, 'x'), "", 413},
		{"bad signature", "POST", "/hooks/infra", payload, "00", 404},
		{"no signature", "POST", "/hooks/infra", payload, "", 404},
		{"unknown repository", "POST", "/hooks/nope", payload, "00", 404},
		{"unknown and signed", "POST", "/hooks/nope", payload, sign(payload), 404},
		{"a name with a way out", "POST", "/hooks/..%2Finfra", payload, sign(payload), 404},
		{"GET", "GET", "/hooks/infra", nil, "", 405},
		{"PUT", "PUT", "/hooks/infra", payload, sign(payload), 405},
	}
	var refused *httptest.ResponseRecorder
	for _, tt := range tests {
		r := httptest.NewRequest(tt.method, tt.path, bytes.NewReader(tt.body))
		r.Header.Set("X-Signature", tt.signature)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status {
			t.Errorf("%s: status %d, want %d: %s", tt.name, w.Code, tt.status, w.Body)
		}
		if w.Code != http.StatusNotFound {
			continue
		}
		if refused == nil {
			refused = w
		}
		if w.Body.String() != refused.Body.String() || len(w.Header()) != len(refused.Header()) {
			t.Errorf("%s: answer %q %v can be told from %q %v", tt.name, w.Body, w.Header(), refused.Body, refused.Header())
		}
	}
	if len(got) != 2 || !bytes.Equal(got[0], payload) || len(got[1]) != maxHook {
		t.Errorf("%d hooks arrived", len(got))
	}
}

func TestHookStatuses(t *testing.T) {
	for said, want := range map[int]int{0: 404, 200: 202, 204: 202, 301: 404, 400: 404, 401: 404, 403: 404, 413: 413, 429: 429, 500: 404, 503: 503} {
		h := handler(t, Options{Hook: func(context.Context, string, http.Header, []byte) int { return said }})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/hooks/a", strings.NewReader("{}")))
		if w.Code != want {
			t.Errorf("a hook that says %d is answered with %d, want %d", said, w.Code, want)
		}
	}
	w := httptest.NewRecorder()
	handler(t, Options{}).ServeHTTP(w, httptest.NewRequest("POST", "/hooks/a", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("without a hook: %d", w.Code)
	}
}

// More than the receiver takes at once are sent away at once; it recovers.
func TestHooksAtOnce(t *testing.T) {
	inside, release := make(chan struct{}), make(chan struct{})
	h := handler(t, Options{Hook: func(context.Context, string, http.Header, []byte) int {
		inside <- struct{}{}
		<-release
		return 200
	}})
	post := func() int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/hooks/infra", nil))
		return w.Code
	}
	var wg sync.WaitGroup
	for range maxHooks {
		wg.Go(func() {
			if got := post(); got != http.StatusAccepted {
				t.Errorf("one of those inside: %d", got)
			}
		})
	}
	for range maxHooks {
		<-inside
	}
	if got := post(); got != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", got)
	}
	close(release)
	wg.Wait()
	go func() { <-inside }()
	if got := post(); got != http.StatusAccepted {
		t.Errorf("afterwards: %d", got)
	}
}
