package serverconfig

import (
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Heartbeat is an address that is told, again and again, that Mooring works.
type Heartbeat struct {
	URL   string        // https or http, a secret: who knows it can keep the watcher quiet; "" is none
	Every time.Duration // how often
}

// DefaultHeartbeat is how often the address is told where the file does not say.
const DefaultHeartbeat = time.Minute

// minHeartbeat is how often Mooring looks at itself.
const minHeartbeat = 30 * time.Second

// heartbeat reads heartbeat_url and heartbeat_every. Nothing that is said of the address holds it.
func (d *decoder) heartbeat(at hcl.Attributes) Heartbeat {
	a, every := at["heartbeat_url"], at["heartbeat_every"]
	h := Heartbeat{URL: d.secret(a), Every: d.duration(every, DefaultHeartbeat, minHeartbeat)}
	switch {
	case a == nil && every != nil:
		d.fail(every.Range, "No heartbeat", "heartbeat_every says how often heartbeat_url is told that Mooring works, and there is none.")
	case a == nil:
		h.Every = 0
	case h.URL != "":
		if u, err := url.Parse(h.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			d.fail(a.Expr.Range(), "Not a URL", "What heartbeat_url comes from is no http or https address.")
		}
	}
	return h
}

// Secrets are what must not be printed: the address, and what of it makes it one that nobody guesses.
func (h Heartbeat) Secrets() []string {
	u, err := url.Parse(h.URL)
	if h.URL == "" || err != nil {
		return nil
	}
	all := []string{h.URL}
	if path := strings.Trim(u.Path, "/"); len(path) >= 8 { // "ping" is no secret
		all = append(all, path)
	}
	if u.RawQuery != "" {
		all = append(all, u.RawQuery)
	}
	if password, ok := u.User.Password(); ok {
		all = append(all, password)
	}
	return all
}
