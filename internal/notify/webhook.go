package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of the Standard Webhooks convention (standardwebhooks.com). The
// signature is "v1," and the base64 of HMAC-SHA256 over id.timestamp.body.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp" // Unix seconds of this try
	headerSignature = "Webhook-Signature"
)

const minSecret = 16 // bytes

type webhook struct {
	poster
	url string
	key []byte
	now func() time.Time
}

// call is the body of a webhook.
type call struct {
	Type     string          `json:"type"` // "mooring.messages"
	At       time.Time       `json:"timestamp"`
	Title    string          `json:"title"`
	Text     string          `json:"text"`
	Messages []calledMessage `json:"messages"` // several of a digest
}

type calledMessage struct {
	Message
	Severity string `json:"severity"`
}

func newWebhook(c Webhook, agent string) (*webhook, error) {
	if err := httpAddress(c.URL); err != nil {
		return nil, err
	}
	key := []byte(c.Secret)
	if encoded, ok := strings.CutPrefix(c.Secret, "whsec_"); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, errors.New("the secret begins with whsec_, and what follows is not base64")
		}
	}
	if len(key) < minSecret {
		return nil, fmt.Errorf("the secret has %d bytes: %d are the least", len(key), minSecret)
	}
	p, err := newPoster(c.CABundle, agent)
	return &webhook{poster: p, url: c.URL, key: key, now: time.Now}, err
}

func (w *webhook) send(ctx context.Context, l letter) error {
	c := call{Type: "mooring.messages", At: l.at, Title: l.title, Text: l.body}
	for _, m := range l.messages {
		c.Messages = append(c.Messages, calledMessage{m, m.Severity.String()})
	}
	body, err := json.Marshal(c)
	if err != nil {
		return &refusedError{fmt.Errorf("write the webhook: %w", err)}
	}
	stamp := strconv.FormatInt(w.now().Unix(), 10)
	return w.post(ctx, w.url, body, http.Header{
		headerID:        {l.id},
		headerTimestamp: {stamp},
		headerSignature: {"v1," + sign(w.key, l.id, stamp, body)},
	})
}

func sign(key []byte, id, stamp string, body []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id + "." + stamp + ".")) // never fails, and the next
	h.Write(body)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
