// Package bundle gets policies from a signed OPA bundle: a file, or an https address. Nothing of a bundle is used before
// its signature was checked with a key that somebody put into the configuration; one that is kept is checked again each
// time it is read.
package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

// Source is where a bundle is, and who may have signed it.
type Source struct {
	Location   string        // a file, or an https URL without a user
	PublicKeys []string      // PEM; one of them has to have signed. None: nothing is good enough
	Algorithm  string        // of the signature, as OPA spells it; "": RS256, or ES256, ES384, ES512 by the curve of the key
	Scope      string        // that the signature has to name
	V0         bool          // the policies are written in Rego v0
	MaxBytes   int64         // of the bundle as it is transported; 0: 16 MiB
	Cache      string        // a directory where the last good one is kept, and which were used before it; "": nothing is
	AllowOlder bool          // one that was used before the last one, or was signed before it, is used again
	MaxAge     time.Duration // how long after it was last seen there the kept one may be used while the address gives none; 0: never
	Client     *http.Client  // nil: one with a timeout of 30 s
	Now        func() time.Time
}

// Bundle is what was read. Files has its policies, and its data as one data.json.
type Bundle struct {
	Files    fs.FS
	Revision string    // that its manifest says
	Checked  time.Time // when the address last said that this is its bundle
	Stale    error     // why the kept one is used; nil where it is the one of the address

	signed signed
}

// ErrUnsigned is a bundle that no key of the configuration has signed as it is.
var ErrUnsigned = errors.New("not signed by a key of the configuration")

// Load gets the bundle. On any failure – no answer, too large, signed wrongly, older than the last one – the kept one is used while it is young
// enough; else the error says both.
func (s Source) Load(ctx context.Context) (Bundle, error) {
	b, err := s.load(ctx)
	if err != nil {
		return Bundle{}, fmt.Errorf("policy bundle %s: %w", s.name(), err)
	}
	return b, nil
}

func (s Source) load(ctx context.Context) (Bundle, error) {
	if s.MaxBytes <= 0 {
		s.MaxBytes = 16 << 20
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	keys, err := s.keys()
	if err != nil {
		return Bundle{}, err
	}
	if !s.remote() {
		body, err := s.readFile()
		if err != nil {
			return Bundle{}, err
		}
		b, err := s.open(body, keys)
		if err == nil {
			err = s.notOlder(b)
		}
		if err != nil {
			return Bundle{}, err
		}
		b.Checked = s.Now()
		return b, nil
	}
	kept, keptErr := s.kept(keys)
	fresh, err := s.fetch(ctx, kept, keys)
	if err == nil {
		return fresh, nil
	}
	if keptErr != nil {
		return Bundle{}, err
	}
	age := s.Now().Sub(kept.Checked)
	if age < 0 || age > s.MaxAge {
		return Bundle{}, fmt.Errorf("%w; the one that was kept is from %s, and may be used for %s", err, kept.Checked.UTC().Format(time.RFC3339), s.MaxAge)
	}
	kept.Stale = err
	return kept.Bundle, nil
}

func (s Source) remote() bool { return strings.Contains(s.Location, "://") }

// name is the location as messages say it, without what may be a token.
func (s Source) name() string {
	name, _, _ := strings.Cut(s.Location, "?")
	return name
}
