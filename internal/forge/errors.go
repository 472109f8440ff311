package forge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode"
)

const maxWords = 300 // characters of a forge's own that an error carries

// answerError is an answer of 400 and above.
type answerError struct {
	status int
	words  string // the forge's own, one line; "" where it said nothing readable
}

func (e *answerError) Error() string {
	said := e.words
	if said == "" {
		said = strings.ToLower(http.StatusText(e.status))
	}
	return strings.TrimRight(fmt.Sprintf("%s: %d %s", e.Unwrap(), e.status, said), " ")
}

// Unwrap is the sentinel that the status stands for.
func (e *answerError) Unwrap() error {
	switch {
	case e.status == http.StatusUnauthorized, e.status == http.StatusForbidden:
		return ErrDenied
	case e.status == http.StatusNotFound, e.status == http.StatusGone:
		return ErrNotFound
	case e.status >= 500, e.status == http.StatusRequestTimeout, e.status == http.StatusTooEarly:
		return ErrUnavailable
	}
	return ErrRefused
}

// said is true of an answer that is a failure in these words. Some answers differ
// in nothing else.
func said(err error, words string) bool {
	var answer *answerError
	return errors.As(err, &answer) && strings.Contains(strings.ToLower(answer.words), strings.ToLower(words))
}

// restate is a failure of another kind than its status says, in the forge's words.
func restate(kind, err error) error {
	var answer *answerError
	if errors.As(err, &answer) {
		return fmt.Errorf("%w: %s", kind, answer.words)
	}
	return err
}

// words are what a forge says in an answer that is a failure: Gitea and GitHub
// {"message": "…", "errors": […]}, GitLab {"message": "…" or ["…"] or {"base":
// ["…"]}} or {"error": "…"}. A page that is not JSON says nothing.
func words(body []byte) string {
	var said struct {
		Message     any    `json:"message"`
		Error       any    `json:"error"`
		Description string `json:"error_description"`
		Errors      any    `json:"errors"`
	}
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	var all []string
	for _, v := range []any{said.Message, said.Error, said.Description, said.Errors} {
		all = sentences(all, "", v)
	}
	return strings.Join(all, "; ")
}

func sentences(all []string, name string, v any) []string {
	switch v := v.(type) {
	case string:
		if v = strings.TrimSpace(v); v == "" {
			return all
		}
		if name != "" && name != "base" && name != "message" {
			v = name + " " + v
		}
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	case []any:
		for _, item := range v {
			all = sentences(all, name, item)
		}
	case map[string]any:
		for _, name := range slices.Sorted(mapKeys(v)) {
			all = sentences(all, name, v[name])
		}
	}
	return all
}

func mapKeys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// line makes one line of text, of at most n characters.
func line(text string, n int) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar
	}), " ")
	if r := []rune(text); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return text
}

// failure is an error that shows no secret, whatever a library wrote into it.
type failure struct {
	text string
	err  error
}

func (e *failure) Error() string { return e.text }
func (e *failure) Unwrap() error { return e.err }

// explain makes of a library's error one of this package's: verb and subject
// before it, addresses and secrets out of it, and below it a sentinel, a
// *LimitError or the caller's context.
func explain(hide func(string) string, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err // without the address: the verb and the subject say what was asked
	}
	return &failure{
		text: line(hide(fmt.Sprintf(format, args...)+": "+err.Error()), 2*maxWords),
		err:  cause(err),
	}
}

// cause leaves of an error what may be asked for. Nothing else is handed up, for
// a library's errors may hold requests with their headers.
func cause(err error) error {
	var limit *LimitError
	if errors.As(err, &limit) {
		return limit
	}
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, ErrNotFound, ErrDenied, ErrUnavailable, ErrRefused, ErrSignature} {
		if errors.Is(err, known) {
			return known
		}
	}
	return nil
}

// secrets are taken out of every text that leaves the package.
type secrets struct {
	mu  sync.Mutex
	all []string
}

const maxSecrets = 16 // an App's tokens change by the hour

// learn adds one. The first is kept for good, of others the newest.
func (s *secrets) learn(secret string) {
	if secret == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.all, secret) {
		return
	}
	if len(s.all) == maxSecrets {
		s.all = slices.Delete(s.all, 1, 2)
	}
	s.all = append(s.all, secret)
}

func (s *secrets) hide(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.all {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			text = strings.ReplaceAll(text, form, "***")
		}
	}
	return text
}
