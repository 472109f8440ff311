package web

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// Hook takes a webhook of a repository as it came: it checks the signature over
// the raw body, takes the hint, and returns at once with a status. Neither the
// repository's name nor anything else was checked before.
//
// The sender is told little: every status below 300 is answered as 202, 413, 429
// and 503 as they are, and every other as 404. So whoever does not know the secret
// cannot tell whether there is such a repository, as long as the hook takes its
// time for an unknown one, too.
type Hook func(ctx context.Context, repository string, header http.Header, body []byte) (status int)

const (
	maxHook  = 1 << 20 // bytes
	maxHooks = 32      // at once: as many MiB of memory at the most
)

// hooks is the receiver. What is too much for it is sent away: a webhook is a
// hint, and who is not told by one polls.
func hooks(hook Hook) http.Handler {
	free := make(chan struct{}, maxHooks)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		select {
		case free <- struct{}{}:
			defer func() { <-free }()
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many webhooks at once", http.StatusServiceUnavailable)
			return
		}
		status := receive(w, r, hook)
		switch status {
		case http.StatusAccepted:
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "accepted\n") // a sender that has left needs no answer
		case http.StatusNotFound:
			http.Error(w, "no such webhook", status)
		default:
			http.Error(w, http.StatusText(status), status)
		}
	})
}

func receive(w http.ResponseWriter, r *http.Request, hook Hook) (status int) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHook))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	case err != nil:
		return http.StatusBadRequest
	case hook == nil:
		return http.StatusNotFound
	}
	switch status := hook(r.Context(), r.PathValue("repository"), r.Header, body); {
	case status >= 200 && status < 300:
		return http.StatusAccepted
	case status == http.StatusRequestEntityTooLarge, status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return status
	}
	return http.StatusNotFound
}
