package redact

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// hidden stands where a secret stood. Terraform writes the same.
const hidden = "(sensitive value)"

// shortest is the length in bytes from which a secret is hidden: shorter ones stand in
// every other word.
const shortest = 4

// A Redactor hides secrets in text. It is safe for concurrent use. Its zero value has no
// secrets.
type Redactor struct {
	mu      sync.Mutex // guards secrets, and the building of matcher
	secrets map[string]bool

	// matcher is nil when there are secrets that it would not know.
	matcher atomic.Pointer[matcher]
}

// New makes a Redactor that hides these secrets, see [Redactor.Add].
func New(secrets ...string) *Redactor {
	r := &Redactor{}
	r.Add(secrets...)
	return r
}

// Add hides more secrets, in all forms that the package documentation names. Writers
// that were made before hide them too, from what they have not yet passed on. Secrets
// shorter than four bytes, without the space around them, are not hidden.
func (r *Redactor) Add(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range secrets {
		if s == "" || r.secrets[s] {
			continue
		}
		if r.secrets == nil {
			r.secrets = map[string]bool{}
		}
		r.secrets[s] = true
		r.matcher.Store(nil)
	}
}

// AddJSON hides every string in a JSON value, and every number of eight digits or more.
// Keys are not hidden. What is not JSON is hidden as a whole.
func (r *Redactor) AddJSON(raw json.RawMessage) {
	value, err := decode(string(raw))
	if err != nil {
		r.Add(string(raw))
		return
	}
	r.Add(leaves(value, nil)...)
}

// Secrets is what was added, sorted, to hand to another process.
func (r *Redactor) Secrets() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.secrets))
}

// current is the matcher for all secrets that were added up to now.
func (r *Redactor) current() *matcher {
	if m := r.matcher.Load(); m != nil {
		return m
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.matcher.Load(); m != nil {
		return m
	}
	// The longest lose forms first when all together are too much.
	secrets := slices.SortedFunc(maps.Keys(r.secrets), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	})
	var forms []string
	total := 0
	for _, s := range secrets {
		total += len(s)
		forms = append(forms, formsOf(s, len(s) < huge && total < budget)...)
	}
	if len(forms) > 0 {
		// Its own text is a form, so that what is redacted twice looks as if it were once
		// even when a secret is "value".
		forms = append(forms, hidden)
	}
	m := newMatcher(forms)
	r.matcher.Store(m)
	return m
}

// Text is s with every secret hidden, and a secret that s breaks off in.
func (r *Redactor) Text(s string) string {
	if r.current().none() {
		return s
	}
	var b strings.Builder
	w := r.Writer(&b)
	for len(s) > 0 { // in pieces, so that s is not held twice
		n := min(len(s), piece)
		// A strings.Builder never fails.
		_, _ = io.WriteString(w, s[:n])
		s = s[n:]
	}
	_ = w.Flush()
	return b.String()
}

// Error is err with a text that has no secrets; nil stays nil. [errors.Is] and
// [errors.As] look through it, and what they find has its own text: print the outer one.
func (r *Redactor) Error(err error) error {
	if err == nil {
		return nil
	}
	return &maskedError{err, r.Text(err.Error())}
}

// maskedError says what an error says, without the secrets.
type maskedError struct {
	err  error
	text string
}

func (e *maskedError) Error() string { return e.text }
func (e *maskedError) Unwrap() error { return e.err }
