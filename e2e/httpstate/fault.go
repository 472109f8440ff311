package httpstate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// How a request fails.
type How string

const (
	Answer How = "answer" // it is answered with Status, 500 when that is 0
	Cut    How = "cut"    // the connection is closed without an answer
	Hang   How = "hang"   // it waits for Release and then goes on as if nothing had been; nothing is done if the server sees the client leave before
)

// Fault says which requests fail, and how. The zero Fault answers every request with 500.
type Fault struct {
	Method    string // GET, POST, DELETE, LOCK or UNLOCK; "" for each
	Path      string // "/network"; "" for each
	Instances int    // only writes of a state with at least so many resource instances: "the last write"
	First     int    // number of the first request that fails, from 1, of those that match since the fault was set; 0 is 1
	Count     int    // how many fail; 0 is every one from First on
	How       How    // "" is Answer
	Status    int    // for Answer. For a LOCK, 409 and 423 come with a holder
	Done      bool   // the request takes effect all the same, and only its answer is lost
}

// ParseFault reads a fault from JSON with the names of its fields.
func ParseFault(text []byte) (Fault, error) {
	var f Fault
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields() // a misspelt fault would be another one
	if err := d.Decode(&f); err != nil {
		return Fault{}, fmt.Errorf("read fault: %w", err)
	}
	return f, f.check()
}

func (f Fault) check() error {
	if !slices.Contains([]How{"", Answer, Cut, Hang}, f.How) {
		return fmt.Errorf("fault: how %q, want answer, cut or hang", f.How)
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("fault: status %d", f.Status)
	}
	if f.First < 0 || f.Count < 0 || f.Instances < 0 {
		return fmt.Errorf("fault: a negative number")
	}
	return nil
}

func (f Fault) matches(r Request) bool {
	return (f.Method == "" || f.Method == r.Method) && (f.Path == "" || f.Path == r.Path) &&
		(f.Instances == 0 || r.Method == http.MethodPost && r.Instances >= f.Instances)
}

// planted is a fault with the number of requests that matched it.
type planted struct {
	Fault
	Seen int
}

// hit counts a request and reports whether it fails.
func (p *planted) hit(r Request) bool {
	if !p.matches(r) {
		return false
	}
	p.Seen++
	first := max(p.First, 1)
	return p.Seen >= first && (p.Count == 0 || p.Seen < first+p.Count)
}

// Inject lets requests fail from now on. Several faults may stand at once: the oldest that hits a request decides.
// It panics on a fault that means nothing.
func (h *Handler) Inject(f Fault) {
	if err := f.check(); err != nil {
		panic(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, &planted{Fault: f})
}

// Heal ends all faults and lets go on what hangs.
func (h *Handler) Heal() {
	h.mu.Lock()
	h.faults = nil
	h.mu.Unlock()
	h.Release()
}

// Release lets go on what hangs now. Later requests hang again while their fault stands.
func (h *Handler) Release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.released)
	h.released = make(chan struct{})
}

// struck returns the fault that hits a request, counting it for all; nil when there is none. The channel closes at the
// next Release.
func (h *Handler) struck(r Request) (*Fault, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var f *Fault
	for _, p := range h.faults {
		if p.hit(r) && f == nil {
			f = &p.Fault
		}
	}
	return f, h.released
}
