package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mooring-iac/mooring/internal/outbox"
)

// queues is what the names of the outbox's queues begin with.
const queues = "notify/"

// parcel is what waits in the outbox for one channel: one message, or those of a
// digest. Its text is made when it is sent.
type parcel struct {
	Messages []Message `json:"messages"`
}

// letter is a parcel on its way.
type letter struct {
	id          string // equal on every try
	title, body string
	messages    []Message
	at          time.Time // of the first message
}

// sender brings a letter to the other side. It may be asked again for one that has
// arrived. Its errors are refusedError, laterError, or the other side's silence.
type sender interface {
	send(ctx context.Context, l letter) error
}

func (p parcel) item(channel, key string) (outbox.Item, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return outbox.Item{}, fmt.Errorf("put %s into the outbox: %w", key, err)
	}
	return outbox.Item{Queue: queues + channel, Key: key, Body: body}, nil
}

// open makes the letter of an item.
func open(it outbox.Item, t templates) (letter, error) {
	var p parcel
	if err := json.Unmarshal(it.Body, &p); err != nil || len(p.Messages) == 0 {
		return letter{}, &refusedError{fmt.Errorf("read %s of the outbox: %w", it.Key, err)}
	}
	l := letter{id: idOf(it.Queue, it.Key), messages: p.Messages, at: p.Messages[0].At}
	l.title, l.body = t.digest(p.Messages)
	return l, nil
}

// idOf names a letter to receivers.
func idOf(queue, key string) string {
	sum := sha256.Sum256([]byte(queue + "\x00" + key))
	return "msg_" + hex.EncodeToString(sum[:16])
}

// refusedError is a letter that was read and is not wanted: trying again soon is in
// vain, and the letters after it may pass.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// laterError is an answer that says when to come back.
type laterError struct {
	err   error
	until time.Time
}

func (e *laterError) Error() string      { return e.err.Error() }
func (e *laterError) Unwrap() error      { return e.err }
func (e *laterError) RetryAt() time.Time { return e.until }
