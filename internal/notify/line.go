package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mooring-iac/mooring/internal/outbox"
)

// line is one channel with all that sending needs.
type line struct {
	Channel
	service string // slack, email, webhook, …
	text    templates
	sender  sender
	secrets []string
	wake    chan struct{} // something was put
	held    chan struct{} // something was put aside

	health sync.Mutex // one word about its health at a time: an alert may be repeated while a letter is sent
}

func newLine(c Channel, version string) (*line, error) {
	l := &line{Channel: c, secrets: secretsOf(c), wake: make(chan struct{}, 1), held: make(chan struct{}, 1)}
	kind, err := c.kind()
	if err != nil {
		return nil, err
	}
	l.service = kind
	agent := "mooring"
	if version != "" {
		agent += "/" + version
	}
	switch kind {
	case "shoutrrr":
		var s *service
		if s, err = newService(c.Shoutrrr); err == nil {
			l.sender, l.service = s, s.name
		}
	case "email":
		l.sender, err = newMailer(*c.Email)
	case "alertmanager":
		l.sender, err = newAlertmanager(*c.Alertmanager, agent)
	case "webhook":
		l.sender, err = newWebhook(*c.Webhook, agent)
	}
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", c.Name, hide(err, l.secrets))
	}
	if kind == "alertmanager" && (c.Digest > 0 || c.Quiet != nil) {
		return nil, fmt.Errorf("channel %s: Alertmanager groups and silences by itself: it takes no digest and no quiet hours", c.Name)
	}
	if l.text, err = newTemplates(c, l.service); err != nil {
		return nil, fmt.Errorf("channel %s: %w", c.Name, err)
	}
	return l, nil
}

// deliver sends an item; its errors hold no secret.
func (l *line) deliver(ctx context.Context, it outbox.Item) error {
	letter, err := open(it, l.text)
	if err != nil {
		return err
	}
	return hide(l.sender.send(ctx, letter), l.secrets)
}

// tries are how often an item is refused before it is given up: an hour of tries where
// the other side says that it is the item's fault, about three days where that is a guess.
func (l *line) tries() int {
	if _, guessed := l.sender.(*service); guessed && l.service != "telegram" {
		return 1000
	}
	return 20
}

// away tells errors that are the other side's from those of an item.
func away(err error) bool {
	var refused *refusedError
	return !errors.As(err, &refused)
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is awake
	}
}

// Try sends one message at once, past the outbox, quiet hours and digests. The error
// holds no secret.
func Try(ctx context.Context, c Channel, version string, m Message) error {
	l, err := newLine(c, version)
	if err != nil {
		return err
	}
	item, err := parcel{[]Message{m}}.item(c.Name, m.Key)
	if err != nil {
		return err
	}
	return l.deliver(ctx, item)
}
