package control

import (
	"errors"

	"github.com/mooring-iac/mooring/runner"
)

// The protocol's version stands in every path. One that changes what is there
// gets another number, and an old client is then told so.
const prefix = "/v1/"

// versionHeader carries the Mooring version of either side.
const versionHeader = "Mooring-Version"

// tokenHeader carries the word that shows that the client can read the data directory.
const tokenHeader = "Mooring-Token"

// message is one line of a stream: an event, or at the end the result.
type message[T any] struct {
	Event *runner.Event `json:"event,omitempty"`
	End   bool          `json:"end,omitempty"`
	Value T             `json:"value,omitempty"`
	Error *failure      `json:"error,omitempty"`
}

// failure is an error on the wire. Its kind names the sentinel that the error
// wraps, so that errors.Is works on both sides.
type failure struct {
	Text string `json:"text"`
	Kind string `json:"kind,omitempty"`
}

// Sentinels names the errors that callers tell apart. Both sides must be made
// with the same ones.
type Sentinels map[string]error

func (s Sentinels) failure(err error) *failure {
	if err == nil {
		return nil
	}
	f := &failure{Text: err.Error()}
	for kind, sentinel := range s {
		if errors.Is(err, sentinel) {
			f.Kind = kind
		}
	}
	return f
}

func (s Sentinels) err(f *failure) error {
	if f == nil {
		return nil
	}
	return &remoteError{text: f.Text, is: s[f.Kind]}
}

// remoteError is what the server said.
type remoteError struct {
	text string
	is   error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.is }
