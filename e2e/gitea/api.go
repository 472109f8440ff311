package gitea

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Refusal is an answer of Gitea that is no success.
type Refusal struct {
	Request string // method and path
	By      string // login
	Status  int
	Words   string // the message of the answer, or all of it
}

func (e *Refusal) Error() string {
	return fmt.Sprintf("%s by %s: Gitea answers %d: %s", e.Request, e.By, e.Status, e.Words)
}

// Try asks Gitea's API for path, such as "repos/ada/infra", as an account; nil is a stranger. What is sent and received
// is JSON, nil for nothing. The error is a [*Refusal] when Gitea answers so.
func (s *Server) Try(by *Account, method, path string, send, receive any) error {
	return s.call(s.t.Context(), by, method, path, send, receive)
}

// Call is [Server.Try] that ends the test when Gitea refuses.
func (s *Server) Call(by *Account, method, path string, send, receive any) {
	s.t.Helper()
	if err := s.Try(by, method, path, send, receive); err != nil {
		s.t.Fatalf("%v", err)
	}
}

func (r *Running) call(ctx context.Context, by *Account, method, path string, send, receive any) error {
	var body io.Reader
	if send != nil {
		content, err := json.Marshal(send)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(content)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.URL+"/api/v1/"+path, body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if send != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	by.authorize(req)
	resp, err := r.client.Do(req)
	if err != nil {
		return err // it names method and URL
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode >= 300 {
		return &Refusal{Request: method + " " + path, By: by.name(), Status: resp.StatusCode, Words: words(content)}
	}
	if receive == nil {
		return nil
	}
	if raw, ok := receive.(*[]byte); ok { // not JSON: a rendered page
		*raw = content
		return nil
	}
	if err := json.Unmarshal(content, receive); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// words is what Gitea says in an answer.
func words(content []byte) string {
	var said struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(content, &said); err == nil && said.Message != "" {
		return said.Message
	}
	return strings.TrimSpace(string(content))
}

// patience is how long Gitea may take for what it does after it has answered.
const patience = 30 * time.Second

// await asks again and again until done, and ends the test when it takes too long.
func (s *Server) await(what string, done func() bool) {
	s.t.Helper()
	deadline := time.After(patience)
	for pause := 25 * time.Millisecond; !done(); pause = min(2*pause, 400*time.Millisecond) { // who asks often slows down what it waits for
		select {
		case <-time.After(pause):
		case <-s.ended:
			s.t.Fatalf("Gitea ended before %s: %s", what, s.lastWords())
		case <-deadline:
			s.t.Fatalf("waited %s in vain for %s; the end of Gitea's log: %s", patience, what, s.lastWords())
		}
	}
}
