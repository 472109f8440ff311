package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/url"
	"strings"
	"sync"

	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// service sends through a service of the library shoutrrr. That knows no contexts and
// in part no time limits: a try that hangs is left behind, and until it has ended no
// other begins, or the letter would arrive twice.
type service struct {
	name string
	new  func() (types.Service, error) // for each letter: a service keeps the last title in its configuration

	mu   sync.Mutex // guards what follows
	left *try       // a try that was left behind
}

type try struct {
	id   string
	done chan struct{}
	err  error // read after done is closed
}

func newService(raw string) (*service, error) {
	name, err := serviceName(raw)
	if err != nil {
		return nil, err
	}
	s := &service{name: name, new: func() (types.Service, error) { return initialized(name, raw) }}
	_, err = s.new()
	return s, err
}

// serviceName reads the scheme; the error never holds the URL.
func serviceName(raw string) (string, error) {
	scheme, _, ok := strings.Cut(raw, "://")
	if !ok {
		return "", errors.New("the address is no URL of a service: it begins with slack://, discord://, telegram://, …")
	}
	name, _, _ := strings.Cut(strings.ToLower(scheme), "+")
	switch {
	case name == "smtp" || name == "smtps":
		return "", errors.New("mail has a block of its own: email { … }")
	case name == "http" || name == "https":
		return "", errors.New("the address of a web hook is written for its service: slack://, discord://, teams://, generic://, …")
	case services[name] == nil:
		return "", fmt.Errorf("unknown service %q: there are %s", oneLine(name), strings.Join(serviceNames(), ", "))
	}
	return name, nil
}

// custom is a service that takes the address that its maker shows, behind "name+".
type custom interface {
	GetConfigURLFromCustom(*url.URL) (*url.URL, error)
}

func initialized(name, raw string) (s types.Service, err error) {
	defer func() { // of an address that is not as the library expects it
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: the address cannot be read", name)
		}
	}()
	u, err := url.Parse(raw)
	if err != nil { // its text would hold the address
		return nil, fmt.Errorf("%s: the address is not a URL", name)
	}
	s = services[name]()
	if !strings.EqualFold(u.Scheme, name) {
		c, ok := s.(custom)
		if !ok {
			return nil, fmt.Errorf("%s: takes no address behind \"%s+\"", name, name)
		}
		if u, err = c.GetConfigURLFromCustom(u); err != nil {
			return nil, fmt.Errorf("%s: the address cannot be read", name)
		}
	}
	if err := s.Initialize(u, log.New(io.Discard, "", 0)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

func (s *service) send(ctx context.Context, l letter) error {
	t, err := s.begin(l)
	if err != nil {
		return err
	}
	select {
	case <-t.done:
	case <-ctx.Done():
		s.mu.Lock()
		s.left = t
		s.mu.Unlock()
		return fmt.Errorf("%s: no answer: %w", s.name, ctx.Err())
	}
	return s.blame(t.err)
}

// begin starts a try. One of the same letter that was left behind and has arrived
// since is that letter's.
func (s *service) begin(l letter) (*try, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.left; old != nil {
		select {
		case <-old.done:
		default:
			if old.id == l.id {
				return old, nil // it may still arrive
			}
			return nil, fmt.Errorf("%s: an earlier try has no answer yet: %w", s.name, context.DeadlineExceeded)
		}
		s.left = nil
		if old.id == l.id && old.err == nil {
			return old, nil
		}
	}
	t := &try{id: l.id, done: make(chan struct{})}
	go t.run(s.new, l)
	return t, nil
}

func (t *try) run(begin func() (types.Service, error), l letter) {
	defer close(t.done)
	defer func() {
		if r := recover(); r != nil { // a library's mistake about one letter must not end the server
			t.err = fmt.Errorf("the service's library failed: %v", r)
		}
	}()
	service, err := begin()
	if err != nil {
		t.err = err
		return
	}
	text, params := words(service.GetID(), l)
	t.err = service.Send(text, &params)
}

// untitled are services that show no title, or refuse one.
var untitled = map[string]bool{"googlechat": true, "matrix": true, "mattermost": true, "rocketchat": true, "signal": true, "wecom": true, "zulip": true}

// words are the text and the parameters that a service understands.
func words(service string, l letter) (string, types.Params) {
	params := types.Params{}
	if service == "pagerduty" {
		return strings.TrimSpace(l.title + "\n" + l.body), incident(l)
	}
	if !untitled[service] {
		params.SetTitle(l.title)
		if l.body != "" {
			return l.body, params
		}
		return l.title, params // most services refuse a message that is empty
	}
	return strings.TrimSpace(l.title + "\n" + l.body), params
}

// incident is what PagerDuty knows of a letter: what belongs together is one incident,
// which ends when that does.
func incident(l letter) types.Params {
	p := types.Params{"dedup_key": l.id, "severity": Info.String()}
	for _, m := range l.messages {
		if word := m.Severity.String(); m.Severity >= Warning && p["severity"] != Critical.String() {
			p["severity"] = word
		}
	}
	if len(l.messages) == 1 && l.messages[0].Group != "" {
		p["dedup_key"] = l.messages[0].Group
		if l.messages[0].State == "resolved" {
			p["action"] = "resolve"
		}
	}
	return p
}

// blame: silence of the network is the other side's. The library's other errors do not
// say whose they are: the letter waits, and those after it may pass.
func (s *service) blame(err error) error {
	var silent net.Error
	var later *laterError
	switch {
	case err == nil:
		return nil
	case s.name == "telegram", errors.As(err, &later): // told apart already
		return fmt.Errorf("%s: %w", s.name, err)
	case errors.As(err, &silent), errors.Is(err, io.EOF), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return &refusedError{fmt.Errorf("%s: %w", s.name, err)}
}
