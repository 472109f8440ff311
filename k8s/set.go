package k8s

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/k8s/rules"
)

// Set is what one manifest path keeps in one cluster.
type Set struct {
	ID               string        // repository and unit: "infra/apps"; the same for as long as the set lives
	DefaultNamespace string        // for namespaced objects that name none; "" means "default"
	Prune            bool          // delete what the set no longer holds
	Timeout          time.Duration // how long to wait for health, and for deletions; 0 means 5 minutes
	Force            bool          // take fields over from any other manager
	// Heal makes an apply one that only puts right what others have done: by reference, the fields of objects that are taken
	// back from whoever wrote them. Any other object that is there is left as it is. nil is an ordinary apply.
	Heal       map[string][]string
	AllowPrune map[ID]bool // what a person has said yes to pruning, should it be a large share of the set
	AllowMove  bool        // a person has said yes to leaving behind what the set holds in another cluster
	// Key makes hashes of Secrets that say nothing about them to who has not got it. Without one, none is kept, and
	// Secrets are sent with every apply.
	Key              []byte
	Health           rules.Rules // people's own health rules; they win over the built-in ones
	Allow            []Allowance // what it may touch: all of them must agree; none restricts nothing
	RequireNamespace bool        // a namespaced object that names no namespace is an error

	allowAll bool // the set goes: all of it may be pruned
}

const (
	// ownerLabel on an object names the set that applied it, in a short form; the annotation of the same name
	// holds the whole ID.
	ownerLabel = "mooring.dev/set"
	// pruneAnnotation is "disabled" to keep an object when it leaves the set, "enabled" to let one of a protected
	// kind be deleted, or one that nothing but its label ties to the set.
	pruneAnnotation = "mooring.dev/prune"
	// recreateAnnotation is "enabled" to have an object deleted and made again where a change of it is impossible.
	recreateAnnotation = "mooring.dev/recreate"
	// healthAnnotation is "none" on an object that is not waited for.
	healthAnnotation = "mooring.dev/health"

	defaultTimeout = 5 * time.Minute
	// parallel is how many objects are applied, or deleted, at once.
	parallel = 16
)

// leaves tells that a healing leaves an object alone that is there.
func (s Set) leaves(a Action) bool {
	_, drifted := s.Heal[a.Item.Ref()]
	return s.Heal != nil && !drifted && a.Live.Found && (a.Verb == VerbApply || a.Verb == VerbVerify)
}

// takesBack tells that a healing may take these fields of an object from their managers.
func (s Set) takesBack(ref string, fields []string) bool {
	if len(fields) == 0 {
		return false
	}
	mine := map[string]bool{}
	for _, f := range s.Heal[ref] {
		mine[plainPath(f)] = true
	}
	return !slices.ContainsFunc(fields, func(f string) bool { return !mine[plainPath(f)] })
}

// plainPath is a field's path however it is spelled: the server puts a dot before it and quotes names.
func plainPath(path string) string {
	return strings.ReplaceAll(strings.TrimPrefix(path, "."), `"`, "")
}

// label is the set's ID as a label value: the readable part cut short, and a hash that tells sets apart.
func (s Set) label() string {
	sum := sha256.Sum256([]byte(s.ID))
	readable := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '.'
	}, s.ID)
	readable = strings.Trim(readable[:min(len(readable), 44)], ".-_")
	if readable != "" {
		readable += "-"
	}
	return readable + hex.EncodeToString(sum[:5])
}

// hash is a short one of what is sent; of a secret only with the set's key, for a plain one would give a weak password away.
func (s Set) hash(body []byte, secret bool) string {
	if !secret {
		sum := sha256.Sum256(body)
		return hex.EncodeToString(sum[:12])
	}
	if len(s.Key) == 0 {
		return ""
	}
	mac := hmac.New(sha256.New, s.Key)
	mac.Write(body) // never fails
	return hex.EncodeToString(mac.Sum(nil)[:12])
}

func (s Set) timeout() time.Duration {
	if s.Timeout <= 0 {
		return defaultTimeout
	}
	return s.Timeout
}

// Namespace is where namespaced objects go that name none.
func (s Set) Namespace() string {
	if s.DefaultNamespace == "" {
		return "default"
	}
	return s.DefaultNamespace
}

// place gives a namespaced object that names no namespace the set's own, unless that is forbidden.
func (s Set) place(o Object, k kind) error {
	switch {
	case !k.namespaced || o.GetNamespace() != "":
		return nil
	case s.RequireNamespace:
		return ErrNoNamespace
	}
	o.SetNamespace(s.Namespace())
	return nil
}
