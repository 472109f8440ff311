package k8s

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// Set is what one manifest path keeps in one cluster.
type Set struct {
	ID               string        // repository and unit: "infra/apps"; the same for as long as the set lives
	DefaultNamespace string        // for namespaced objects that name none; "" means "default"
	Prune            bool          // delete what the set no longer holds
	Timeout          time.Duration // how long to wait for health, and for deletions; 0 means 5 minutes
	Force            bool          // take fields over from any other manager
}

const (
	// ownerLabel on an object names the set that applied it, in a short form; the annotation of the same name
	// holds the whole ID.
	ownerLabel = "mooring.dev/set"
	// pruneAnnotation is "disabled" to keep an object when it leaves the set, "enabled" to let a protected
	// kind be deleted.
	pruneAnnotation = "mooring.dev/prune"

	defaultTimeout = 5 * time.Minute
	// parallel is how many objects are applied, or deleted, at once.
	parallel = 16
)

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

func (s Set) timeout() time.Duration {
	if s.Timeout <= 0 {
		return defaultTimeout
	}
	return s.Timeout
}

func (s Set) namespace() string {
	if s.DefaultNamespace == "" {
		return "default"
	}
	return s.DefaultNamespace
}
