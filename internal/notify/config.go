package notify

import (
	"fmt"
	"time"
)

// Config is who is told of what. The zero value tells nobody.
type Config struct {
	Channels []Channel
	Routes   []Route // none: every channel is told of Warning and worse
}

// Channel is one way to people or programs. Exactly one of Shoutrrr, Email,
// Alertmanager and Webhook says which.
type Channel struct {
	Name         string
	Shoutrrr     string // a service's URL as the library of that name has it; a secret
	Email        *Email
	Alertmanager *Alertmanager
	Webhook      *Webhook

	Title, Body string        // text/template; "" is our own
	Digest      time.Duration // what comes within is one message; 0 tells each at once
	Quiet       *Quiet        // nil is never
}

// Email goes to one server, as one mail to all of To.
type Email struct {
	Server   string // host:port
	TLS      string // "starttls" refuses a server without, "tls" from the first byte, "none"; "" is starttls
	From     string
	To       []string
	Username string // "" logs in nowhere
	Password string
	CABundle []byte // PEM; nil is the system's
}

// Alertmanager is the API of version 2 below URL.
type Alertmanager struct {
	URL      string
	Username string // of basic authentication; "" is none
	Password string
	Token    string // bearer; "" is none
	CABundle []byte // PEM; nil is the system's
}

// Webhook is sent JSON that is signed as the Standard Webhooks convention has it.
type Webhook struct {
	URL      string
	Secret   string // of HMAC-SHA256; "whsec_" and base64, or any text
	CABundle []byte // PEM; nil is the system's
}

// Route sends what it matches to its channels. A list that is empty limits nothing.
type Route struct {
	Channels     []string
	Repositories []string // patterns with * and **
	Units        []string // the same; a message about a repository as a whole has the unit ""
	Severity     Severity // and worse
	Events       []Event
}

// ChannelHealth is how a channel fares.
type ChannelHealth struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`           // slack, email, alertmanager, webhook, …
	Waiting int       `json:"waiting"`        // messages that are not told yet, held ones included
	Dead    bool      `json:"dead"`           // it fails for long, or has refused a message for good
	Since   time.Time `json:"since,omitzero"` // when it began to fail; zero while it is well
	Error   string    `json:"error,omitempty"`
}

// Check says what is wrong with a channel: its address or its templates. Nothing is
// sent. The error holds no secret.
func Check(c Channel) error {
	_, err := newLine(c, "")
	return err
}

// Secrets are what must never be printed of a configuration: passwords, tokens, the
// addresses of services and what stands in them.
func Secrets(c Config) []string {
	var all []string
	for _, ch := range c.Channels {
		all = append(all, secretsOf(ch)...)
	}
	return all
}

func (c Channel) kind() (string, error) {
	var kinds []string
	if c.Shoutrrr != "" {
		kinds = append(kinds, "shoutrrr")
	}
	if c.Email != nil {
		kinds = append(kinds, "email")
	}
	if c.Alertmanager != nil {
		kinds = append(kinds, "alertmanager")
	}
	if c.Webhook != nil {
		kinds = append(kinds, "webhook")
	}
	if len(kinds) != 1 {
		return "", fmt.Errorf("channel %s has %d addresses: it needs one", c.Name, len(kinds))
	}
	return kinds[0], nil
}
