package k8s

import (
	"crypto/sha256"
	"fmt"
	"os"
)

// Stale tells that a file which the connection was made of says something else by now: the kubeconfig, or a
// certificate or key that it names. (A token file is read again by the library, within a minute.) Connect makes a
// connection of what they say now.
func (c *Cluster) Stale() bool { return c.stamp != stampOf(c.files) }

// stampOf is a hash of what the files hold now.
func stampOf(files []string) [32]byte {
	h := sha256.New()
	for _, f := range files {
		if f == "" {
			continue
		}
		data, err := os.ReadFile(f)
		fmt.Fprintf(h, "%d %v ", len(data), err)
		_, _ = h.Write(data)
	}
	return [32]byte(h.Sum(nil))
}
