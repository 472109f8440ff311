package locks

import (
	"encoding/binary"
	"fmt"
)

// Key names what is locked. Two units that would touch the same state have the
// same key, whatever they are called and whichever repository block of the
// server's configuration they come from.
type Key struct {
	Host       string // of the repository's URL; "" for a local path
	Repository string // path of the repository on that host, or the local path
	Kind       string // "workspace" or "manifests"
	Dir        string // root module or manifest path in the repository
	Workspace  string // Terraform workspace, or the cluster of a manifest set
}

// bytes encodes the key with each field's length before it: a separator could
// stand inside a directory's name, and two keys would then be one.
func (k Key) bytes() []byte {
	var b []byte
	for _, f := range []string{k.Host, k.Repository, k.Kind, k.Dir, k.Workspace} {
		b = binary.AppendUvarint(b, uint64(len(f)))
		b = append(b, f...)
	}
	return b
}

func parseKey(b []byte) (Key, error) {
	var k Key
	fields := []*string{&k.Host, &k.Repository, &k.Kind, &k.Dir, &k.Workspace}
	for _, f := range fields {
		n, width := binary.Uvarint(b)
		if width <= 0 || n > uint64(len(b)-width) {
			return Key{}, fmt.Errorf("lock key %x is cut short", b)
		}
		*f = string(b[width : width+int(n)])
		b = b[width+int(n):]
	}
	if len(b) != 0 {
		return Key{}, fmt.Errorf("lock key has %d bytes too many", len(b))
	}
	return k, nil
}
