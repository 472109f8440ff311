package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxFailures   = 10
	failureWindow = time.Minute
	maxAddresses  = 1024 // that are remembered
)

// door lets those in who know the password: as that of any user in HTTP Basic, or
// as a bearer token. An address that was wrong ten times within a minute waits for
// the minute's end, with the right password, too: else the answer would tell it.
type door struct {
	password string
	now      func() time.Time

	mu    sync.Mutex // guards wrong
	wrong map[netip.Prefix]window
}

// window counts the failures of an address since the first of them.
type window struct {
	since time.Time
	count int
}

// open reports whether the request may pass. If not, it has answered.
func (d *door) open(w http.ResponseWriter, r *http.Request) bool {
	if given, ok := credential(r); ok { // a browser asks without one first
		right, wait := d.try(address(r.RemoteAddr), given)
		if right {
			return true
		}
		if wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
			http.Error(w, "too many wrong passwords", http.StatusTooManyRequests)
			return false
		}
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="Mooring", charset="UTF-8"`)
	http.Error(w, "the password of server.hcl's pages block is needed", http.StatusUnauthorized)
	return false
}

func credential(r *http.Request) (string, bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return password, true
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}

// right compares sums: neither the length nor the start of the password shows in
// the time it takes.
func (d *door) right(given string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(d.password))
	return d.password != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// address is who asks. Of IPv6 that is the network: one host has all of a /64. Those
// whose address cannot be read are one.
func address(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	a := at.Addr().Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// try looks at a password and counts a wrong one. It does not look, and says how
// long it will not, where there were too many from the address.
func (d *door) try(from netip.Prefix, given string) (right bool, wait time.Duration) {
	d.mu.Lock() // from the look at the count to its change: a thousand at once are ten tries as well
	defer d.mu.Unlock()
	now := d.clock()
	f, known := d.wrong[from]
	if known && now.Sub(f.since) >= failureWindow {
		f = window{}
	}
	if f.count >= maxFailures {
		return false, f.since.Add(failureWindow).Sub(now)
	}
	if d.right(given) {
		return true, 0
	}
	if f.count == 0 {
		f.since = now
	}
	f.count++
	if d.wrong == nil {
		d.wrong = map[netip.Prefix]window{}
	}
	if !known && len(d.wrong) >= maxAddresses {
		d.forget(now)
	}
	d.wrong[from] = f
	return false, 0
}

// forget makes room: for all whose minute is over, else for the oldest.
func (d *door) forget(now time.Time) {
	var oldest netip.Prefix
	first := now
	for p, f := range d.wrong {
		if now.Sub(f.since) >= failureWindow {
			delete(d.wrong, p)
		} else if !f.since.After(first) {
			oldest, first = p, f.since
		}
	}
	if len(d.wrong) >= maxAddresses {
		delete(d.wrong, oldest)
	}
}

func (d *door) clock() time.Time {
	if d.now == nil {
		return time.Now()
	}
	return d.now()
}
