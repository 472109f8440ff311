package gitea

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"
)

// ReviewEvents are the webhook events that tell all of a review.
var ReviewEvents = []string{"push", "pull_request", "pull_request_sync", "pull_request_review", "pull_request_comment", "issue_comment", "status"}

// Webhook has Gitea tell url of events, [ReviewEvents] when none is named, signed with secret.
func (r *Repo) Webhook(url, secret string, events ...string) (id int64) {
	r.server.t.Helper()
	if len(events) == 0 {
		events = ReviewEvents
	}
	var made struct {
		ID int64 `json:"id"`
	}
	r.server.Call(r.owner, http.MethodPost, r.api("hooks"), map[string]any{
		"type": "gitea", "active": true, "events": events,
		"config": map[string]any{"url": url, "content_type": "json", "secret": secret},
	}, &made)
	return made.ID
}

// Delivery is one request of a webhook.
type Delivery struct {
	Header http.Header
	Body   []byte
	At     time.Time // when it was there whole
}

// Event is what happened: push, pull_request, issue_comment, pull_request_approved.
func (d Delivery) Event() string { return d.Header.Get("X-Gitea-Event") }

// Type is the event more exactly: pull_request_sync, pull_request_comment, pull_request_review_approved.
func (d Delivery) Type() string { return d.Header.Get("X-Gitea-Event-Type") }

// Action is what was done: opened, synchronized, closed, created; "" of a push.
func (d Delivery) Action() string {
	var said struct {
		Action string `json:"action"`
	}
	if err := json.Unmarshal(d.Body, &said); err != nil {
		return ""
	}
	return said.Action
}

// SignedWith tells whether the delivery is signed with a secret.
func (d Delivery) SignedWith(secret string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(d.Body)
	signature, err := hex.DecodeString(d.Header.Get("X-Gitea-Signature"))
	return err == nil && hmac.Equal(signature, mac.Sum(nil))
}

// Inbox takes the deliveries of webhooks and keeps them.
type Inbox struct {
	URL string // for [Repo.Webhook]

	t       TB
	mu      sync.Mutex
	all     []Delivery
	changed chan struct{} // closed and replaced when all grows
}

// Receive opens an inbox until the test ends.
func Receive(t TB) *Inbox {
	t.Helper()
	i := &Inbox{t: t, changed: make(chan struct{})}
	listener := httptest.NewServer(i)
	t.Cleanup(listener.Close)
	i.URL = listener.URL
	return i
}

// ServeHTTP keeps a delivery and says yes.
func (i *Inbox) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var body bytes.Buffer
	if _, err := io.Copy(&body, req.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.all = append(i.all, Delivery{Header: req.Header.Clone(), Body: body.Bytes(), At: time.Now()})
	close(i.changed)
	i.changed = make(chan struct{})
}

// All are the deliveries up to now, in the order they came.
func (i *Inbox) All() []Delivery {
	all, _ := i.now()
	return all
}

func (i *Inbox) now() ([]Delivery, <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.all), i.changed
}

// Await returns the first delivery of a type and action, one that came before included.
func (i *Inbox) Await(kind, action string) Delivery {
	i.t.Helper()
	deadline := time.After(patience)
	for {
		all, changed := i.now()
		for _, d := range all {
			if d.Type() == kind && d.Action() == action {
				return d
			}
		}
		select {
		case <-changed:
		case <-deadline:
			var came []string
			for _, d := range all {
				came = append(came, d.Type()+" "+d.Action())
			}
			i.t.Fatalf("waited %s in vain for a webhook %s %s; there came %q", patience, kind, action, came)
		}
	}
}
