package notify

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// leastSecret is in bytes: shorter parts of an address are words like "hook".
const leastSecret = 8

// secretsOf are what must not be printed of a channel. In the address of a service
// nearly every part may be a key; which is, only the service knows.
func secretsOf(c Channel) []string {
	var all []string
	if c.Shoutrrr != "" {
		all = append(all, c.Shoutrrr)
		all = append(all, partsOf(c.Shoutrrr)...)
	}
	if c.Email != nil {
		all = append(all, c.Email.Password)
	}
	if c.Alertmanager != nil {
		all = append(all, c.Alertmanager.Password, c.Alertmanager.Token)
	}
	if c.Webhook != nil {
		all = append(all, c.Webhook.Secret)
		all = append(all, partsOf(c.Webhook.URL)...)
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

func partsOf(raw string) []string {
	u, err := url.Parse(raw)
	if err != nil {
		return nil
	}
	parts := strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })
	if u.User != nil {
		password, _ := u.User.Password()
		parts = append(parts, u.User.Username(), password)
		parts = append(parts, strings.Split(password, "-")...) // slack's three
	}
	// Of these services the host is a part of the key too.
	if scheme := u.Scheme; scheme == "pushover" || scheme == "slack" {
		parts = append(parts, u.Host)
	}
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	return slices.DeleteFunc(parts, func(s string) bool { return len(s) < leastSecret })
}

var (
	webAddress   = regexp.MustCompile(`(https?://)(?:[^\s"'/@]*@)?([^\s"'/?#]*)[^\s"']*`)
	otherAddress = regexp.MustCompile(`\b([a-z][a-z0-9+.-]*)://[^\s"']+`)
)

// hidden is the text of an error without secrets: of web addresses the host alone is left.
func hidden(err error, secrets []string) string {
	text := otherAddress.ReplaceAllStringFunc(err.Error(), func(s string) string {
		if m := webAddress.FindStringSubmatch(s); m != nil && strings.HasPrefix(s, m[1]) {
			return m[1] + m[2] + "/…"
		}
		scheme, _, _ := strings.Cut(s, "://")
		return scheme + "://…"
	})
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, "(hidden)")
		text = strings.ReplaceAll(text, url.QueryEscape(s), "(hidden)")
	}
	return cut(oneLine(text), 500)
}

// hiddenError keeps what an error says to errors.As, and none of its secrets.
type hiddenError struct {
	text string
	err  error
}

func (e *hiddenError) Error() string { return e.text }
func (e *hiddenError) Unwrap() error { return e.err }

func hide(err error, secrets []string) error {
	if err == nil {
		return nil
	}
	var template *TemplateError
	if errors.As(err, &template) {
		return err
	}
	return &hiddenError{hidden(err, secrets), err}
}
