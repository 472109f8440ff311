package forge

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestWhatStatusesMean(t *testing.T) {
	for status, want := range map[int]error{
		400: ErrRefused, 401: ErrDenied, 403: ErrDenied, 404: ErrNotFound, 405: ErrRefused, 406: ErrRefused, 408: ErrUnavailable,
		409: ErrRefused, 410: ErrNotFound, 413: ErrRefused, 422: ErrRefused, 423: ErrRefused, 425: ErrUnavailable,
		500: ErrUnavailable, 502: ErrUnavailable, 503: ErrUnavailable, 504: ErrUnavailable, 599: ErrUnavailable,
	} {
		wire, at := wired(t, func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(status) })
		_, err := get(t, wire, at)
		err = explain(wire.secrets.hide, err, "ask")
		for _, sentinel := range []error{ErrNotFound, ErrDenied, ErrUnavailable, ErrRefused} {
			if errors.Is(err, sentinel) != (sentinel == want) {
				t.Errorf("%d is %v", status, err)
			}
		}
		if !strings.HasPrefix(err.Error(), "ask: ") || !strings.Contains(err.Error(), fmt.Sprint(status)) || strings.Contains(err.Error(), at) {
			t.Errorf("%d says %q", status, err)
		}
	}
}

func TestWords(t *testing.T) {
	for body, want := range map[string]string{
		`{"message":"head out of date","url":"http://git/api/swagger"}`:                                                "head out of date",
		`{"message":"Validation Failed","errors":[{"resource":"Issue","code":"custom","message":"body is too long"}]}`: "Validation Failed; code custom; body is too long; resource Issue",
		`{"message":{"base":["Branch cannot be merged"],"note":["can't be blank","is junk"]}}`:                         "Branch cannot be merged; note can't be blank; note is junk",
		`{"error":"insufficient_scope","error_description":"The request requires higher privileges.","scope":"api"}`:   "insufficient_scope; The request requires higher privileges.",
		`{"message":"403 Forbidden"}`: "403 Forbidden",
		`{"message":" two "}`:         "two",
		`{"message":["a","a","b"]}`:   "a; b",
		`{"message":7}`:               "",
		`<html>down</html>`:           "",
		``:                            "",
		`[1]`:                         "",
	} {
		if got := words([]byte(body)); got != want {
			t.Errorf("%s says %q, want %q", body, got, want)
		}
	}
}

func TestNoSecretInAnError(t *testing.T) {
	wire, at := wired(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(rw, `{"message":"`+r.Header.Get("Authorization")+` is no `+url.QueryEscape(token)+`\nat all"}`)
	})
	wire.secrets.learn("installation-1")
	_, err := get(t, wire, at+"/"+url.PathEscape(token))
	err = explain(wire.secrets.hide, err, "say %s", "installation-1")
	if want := "say ***: the forge refused: 409 token *** is no *** at all"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(fmt.Sprintf("%v %+v", e, e), token) {
			t.Errorf("%#v", e)
		}
	}
}

// A secret that is cut in two is half a secret.
func TestSecretsAreHiddenBeforeWordsAreCut(t *testing.T) {
	for _, before := range []int{0, maxWords - len(token)/2, maxWords - 1, 2*maxWords - len(token)/2, 700} {
		wire, at := wired(t, func(rw http.ResponseWriter, r *http.Request) {
			rw.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(rw, `{"message":"`+strings.Repeat("ä", before)+token+`two\nlines\u0000\u001b[31m"}`)
		})
		_, err := get(t, wire, at)
		err = explain(wire.secrets.hide, err, "ask")
		if strings.Contains(err.Error(), token[:4]) || strings.ContainsAny(err.Error(), "\n\x00\x1b") || len([]rune(err.Error())) > maxWords+30 {
			t.Errorf("%d before it: %v", before, err)
		}
		err = explain(wire.secrets.hide, errors.New(strings.Repeat("ä", before)+token), "ask")
		if strings.Contains(err.Error(), token[:4]) {
			t.Errorf("%d before it: %v", before, err)
		}
	}
}

func TestSecretsAreBounded(t *testing.T) {
	var s secrets
	s.learn("")
	s.learn("the-first")
	for i := range 100 {
		s.learn(fmt.Sprintf("token-%03d", i))
	}
	if got := s.hide("the-first token-099 token-000 x"); got != "*** *** token-000 x" || len(s.all) != maxSecrets {
		t.Errorf("%q of %d", got, len(s.all))
	}
}

func TestExplainKeepsWhatCanBeAsked(t *testing.T) {
	hide := func(s string) string { return s }
	if explain(hide, nil, "x") != nil {
		t.Error("nothing went wrong")
	}
	limit := &LimitError{Until: noon.Add(time.Minute)}
	err := explain(hide, &url.Error{Op: "Get", URL: "http://git/secret", Err: fmt.Errorf("wrapped: %w", limit)}, "list %s", "acme/infra")
	var got *LimitError
	if !errors.As(err, &got) || got != limit || !errors.Is(err, ErrUnavailable) ||
		err.Error() != "list acme/infra: wrapped: the forge limits requests until 2026-11-26T12:01:00Z" {
		t.Errorf("%v", err)
	}
	if err = explain(hide, fmt.Errorf("x: %w", context.Canceled), "list"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err = explain(hide, errors.New("a library's own"), "list"); err.Error() != "list: a library's own" || errors.Unwrap(err) != nil {
		t.Error(err)
	}
}
