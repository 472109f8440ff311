package forge

import (
	"bytes"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	unsaid  = time.Minute // how long a limit lasts that does not say
	longest = time.Hour   // that a forge is believed; GitHub's budgets are by the hour
)

// limits remembers until when the forge wants to be left alone. GitHub says
// X-RateLimit-Remaining and -Reset, GitLab RateLimit-Remaining and -Reset, both in
// Unix seconds, and everybody Retry-After.
type limits struct {
	mu    sync.Mutex
	until time.Time
}

// check fails while a limit lasts.
func (l *limits) check(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.until) {
		return &LimitError{Until: l.until}
	}
	return nil
}

// learn reads an answer. It fails where the answer itself is a refusal because of a
// limit; an answer that was the budget's last is good, and only the next call waits.
func (l *limits) learn(now time.Time, resp *http.Response, body []byte) error {
	until, spent := budget(now, resp.Header)
	limited := false
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		limited = true
	case http.StatusForbidden: // GitHub's two ways; any other 403 is a permission
		limited = spent || resp.Header.Get("Retry-After") != "" || secondary(body)
	case http.StatusServiceUnavailable:
		limited = resp.Header.Get("Retry-After") != ""
	}
	if at, ok := retryAfter(now, resp.Header.Get("Retry-After")); ok && limited {
		until = at
	} else if limited && !spent {
		until = now.Add(unsaid)
	}
	if !limited && !spent {
		return nil
	}
	until = clamp(until, now.Add(time.Second), now.Add(longest))
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.until) {
		l.until = until
	}
	if limited {
		return &LimitError{Until: l.until}
	}
	return nil
}

// budget is true where nothing is left, and tells when there is again.
func budget(now time.Time, h http.Header) (time.Time, bool) {
	for _, prefix := range []string{"X-RateLimit-", "RateLimit-"} {
		if h.Get(prefix+"Remaining") != "0" {
			continue
		}
		seconds, err := strconv.ParseInt(h.Get(prefix+"Reset"), 10, 64)
		if err != nil {
			return now.Add(unsaid), true
		}
		if at := time.Unix(seconds, 0); at.After(now) {
			return at, true
		}
	}
	return time.Time{}, false
}

func retryAfter(now time.Time, said string) (time.Time, bool) {
	if seconds, err := strconv.ParseInt(said, 10, 32); err == nil {
		return now.Add(time.Duration(seconds) * time.Second), true
	}
	if at, err := http.ParseTime(said); err == nil {
		return at, true
	}
	return time.Time{}, false
}

// secondary recognizes GitHub's limit on bursts, which may come without a header:
// its documentation's address is the mark that clients go by.
func secondary(body []byte) bool {
	return bytes.Contains(body, []byte("secondary-rate-limits")) || bytes.Contains(body, []byte("#abuse-rate-limits"))
}

func clamp(t, low, high time.Time) time.Time {
	if t.Before(low) {
		return low
	}
	if t.After(high) {
		return high
	}
	return t
}
