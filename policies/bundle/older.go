package bundle

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// ErrOlder is a bundle that was signed well, and that a newer one has taken the place of.
var ErrOlder = errors.New("it is older than one that was used already; give what is in it a new revision, or set allow_older")

// seen is what is remembered of the bundles of a location.
type seen struct {
	Last   string   `json:"last"`           // what the one in use has signed
	Issued int64    `json:"iat,omitempty"`  // when that was signed, in seconds since 1970; 0 where it does not say
	Past   []string `json:"past,omitempty"` // those before it, the oldest first
}

// mostPast bounds what is remembered. Where bundles say when they were signed, those before are refused all the same.
const mostPast = 1000

// signed is what a signature is about, once it was checked. Neither the archive nor the signature itself would do: both
// can be written otherwise for the same content.
type signed struct {
	id     string
	issued int64 // the claim iat; 0 is none
}

func signedBy(token string) (signed, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return signed{}, errors.New("its signature has no content")
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return signed{}, fmt.Errorf("read what its signature is about: %w", err)
	}
	var claims struct {
		Issued json.Number `json:"iat"`
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		return signed{}, fmt.Errorf("read what its signature is about: %w", err)
	}
	issued := int64(0)
	if claims.Issued != "" {
		seconds, err := claims.Issued.Float64()
		if err != nil || seconds < 0 || seconds > 1e12 {
			return signed{}, fmt.Errorf("it says that it was signed at %s", claims.Issued)
		}
		issued = int64(seconds)
	}
	sum := sha256.Sum256(text)
	return signed{hex.EncodeToString(sum[:]), issued}, nil
}

// notOlder refuses a bundle that was used before the last one, or was signed before it, and remembers it else. Where
// nothing is kept nothing is known, and nothing refused.
func (s Source) notOlder(b Bundle) error {
	if s.Cache == "" {
		return nil
	}
	was, err := s.seen()
	if err != nil {
		return err
	}
	if b.signed.id == was.Last {
		return nil
	}
	now := was
	if was.Last != "" {
		now.Past = append(slices.Clone(was.Past), was.Last)
		now.Past = now.Past[max(0, len(now.Past)-mostPast):]
	}
	now.Last, now.Issued = b.signed.id, b.signed.issued
	switch {
	case s.AllowOlder:
		now.Past = slices.DeleteFunc(now.Past, func(id string) bool { return id == now.Last })
	case slices.Contains(was.Past, b.signed.id):
		return fmt.Errorf("revision %q: %w", b.Revision, ErrOlder)
	case b.signed.issued == 0 && was.Issued > 0:
		return fmt.Errorf("revision %q does not say when it was signed, and the last one did: %w", b.Revision, ErrOlder)
	case b.signed.issued < was.Issued:
		return fmt.Errorf("revision %q was signed at %s, the last one at %s: %w", b.Revision, moment(b.signed.issued), moment(was.Issued), ErrOlder)
	}
	return s.remember(now)
}

func moment(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

// seen reads what is remembered. What cannot be read lets nothing pass: else spoiling it would let the old ones in.
func (s Source) seen() (was seen, err error) {
	text, err := os.ReadFile(s.seenFile())
	if errors.Is(err, fs.ErrNotExist) {
		return seen{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &was)
	}
	if err != nil {
		return seen{}, fmt.Errorf("read which bundles were used before: %w", err)
	}
	return was, nil
}

func (s Source) remember(now seen) error {
	if err := os.MkdirAll(s.Cache, 0o700); err != nil {
		return err
	}
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return replace(s.seenFile(), text)
}

func (s Source) seenFile() string {
	body, _ := s.files()
	return strings.TrimSuffix(body, ".tar.gz") + ".seen.json"
}
