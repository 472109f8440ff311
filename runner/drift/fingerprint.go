package drift

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Seal sorts the fields, takes the values of secrets out of them and sets what the finding is recognised by: the digest
// of each field, Cause and Fingerprint. Values enter only as hashes under the key, so that nobody without it can guess a
// secret and compare. A secret whose values are gone already keeps the digest that it has: sealing twice changes nothing.
//
// The key must stay the same for as long as records are kept: with another one every drift is a new one.
//
// What differs in every scan is no part of a fingerprint: the values of churn, and what is planned. Nor are By, At and
// Message.
func (f *Finding) Seal(key []byte) {
	for i := range f.Fields {
		x := &f.Fields[i]
		if !x.Secret || x.Digest == "" || x.Old != nil || x.New != nil {
			x.Digest = digest(key, x.Old) + "." + digest(key, x.New)
		}
		if x.Secret {
			x.Old, x.New = nil, nil
		}
	}
	f.seal()
}

// seal makes Cause and Fingerprint of the digests that the fields have.
func (f *Finding) seal() {
	slices.SortFunc(f.Fields, func(a, b Field) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Digest, b.Digest))
	})
	whole, cause := sha256.New(), sha256.New()
	write(whole, f.Address, string(f.Class), string(f.Change), f.Action)
	write(cause, f.Kind, string(f.Class), string(f.Change))
	for _, x := range f.Fields {
		write(whole, x.Path)
		write(cause, x.Path)
		if f.Class != Churn {
			was, is, _ := strings.Cut(x.Digest, ".")
			if x.Planned {
				was = ""
			}
			write(whole, was, is)
			write(cause, is)
		}
	}
	f.Fingerprint, f.Cause = short(whole), short(cause)
}

// digest is the hash of a value under a key.
func digest(key []byte, v any) string {
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, canonical(v))
	return short(mac)
}

// write adds texts to a hash so that no two lists of texts are the same bytes.
func write(h io.Writer, texts ...string) {
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s", len(t), t)
	}
}

// short is 128 bits of a hash: more than enough for what one server ever sees.
func short(h interface{ Sum([]byte) []byte }) string { return hex.EncodeToString(h.Sum(nil)[:16]) }

// canonical is a value as text that is the same for equal values.
func canonical(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%#v", v) // nothing that was read from JSON or from a cluster
	}
	return string(raw)
}
