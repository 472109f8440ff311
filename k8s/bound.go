package k8s

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Bound is the digest of a source together with what else decides what an apply of it does: whom the connection acts
// as, and what the set says and may. "" stays "".
func (c *Cluster) Bound(set Set, digest string) string {
	if digest == "" {
		return ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %q %q %v %v %v %q", digest, c.user, set.Namespace(), set.RequireNamespace, set.Force, set.Prune, set.Allow))
	return hex.EncodeToString(sum[:16])
}
