package k8s

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"
)

// ErrNoKey is wrapped by the SourceError of an encrypted file that none of the keys opens.
var ErrNoKey = errors.New("no key opens the file")

// sopsKey is the key at the top of a document that SOPS encrypted, with what is needed to open it.
const sopsKey = "sops"

// sopsMetadata is what SOPS keeps in a file. The names are those of its file format, stores.metadata in
// github.com/getsops/sops/v3. That library is not imported: it brings the software of every cloud along, 45 MB
// of it, and forgets the lines of what it reads.
type sopsMetadata struct {
	sopsKeys      `yaml:",inline"`
	KeyGroups     []sopsKeys `yaml:"key_groups"`
	LastModified  string     `yaml:"lastmodified"`
	MAC           string     `yaml:"mac"`
	OnlyEncrypted bool       `yaml:"mac_only_encrypted"`
	sopsRules     `yaml:",inline"`
}

// sealed is the metadata node of a document that SOPS encrypted, or nil.
func sealed(doc *yaml.Node) *yaml.Node {
	if n := resolve(childOf(doc, sopsKey)); n != nil && n.Kind == yaml.MappingNode {
		return n
	}
	return nil
}

// unseal decrypts the documents of one file in place, so that every value keeps its line, and takes the
// metadata out. It answers the nodes that were encrypted; nil and no fault for a file that is not. What it
// answers was verified by the file's MAC.
func unseal(file string, docs []*yaml.Node, keys *Keys) (map[*yaml.Node]bool, *SourceError) {
	var at *yaml.Node
	for _, d := range docs {
		if at = sealed(d); at != nil {
			break
		}
	}
	if at == nil {
		return nil, nil
	}
	fault := func(line int, err error, format string, args ...any) *SourceError {
		return &SourceError{File: file, Line: line, Message: fmt.Sprintf(format, args...), Err: err}
	}
	var meta sopsMetadata
	if err := at.Decode(&meta); err != nil {
		return nil, fault(at.Line, nil, "the metadata of SOPS cannot be read: %s", firstLine(err))
	}
	if len(meta.KeyGroups) > 1 {
		return nil, fault(at.Line, ErrNoKey, "encrypted with SOPS for several groups of keys at once (shamir_threshold), which is not supported; encrypt it for one group")
	}
	if len(meta.KeyGroups) == 1 {
		meta.sopsKeys = meta.KeyGroups[0]
	}
	modified, err := time.Parse(time.RFC3339, meta.LastModified)
	if err != nil {
		return nil, fault(at.Line, nil, "the metadata of SOPS has no lastmodified")
	}
	rules, err := meta.compile()
	if err != nil {
		return nil, fault(at.Line, nil, "the metadata of SOPS: %v", err)
	}
	key, err := keys.open(meta.sopsKeys)
	if err != nil {
		return nil, fault(at.Line, ErrNoKey, "encrypted with SOPS for %s: %v", meta.names(), err)
	}
	w := newSopsWalk(key, rules, meta.OnlyEncrypted)
	for _, d := range docs {
		if w.document(d); w.err != nil {
			return nil, fault(w.line, nil, "encrypted with SOPS: %v", w.err)
		}
	}
	want, _, err := sopsOpen(meta.MAC, key, modified.Format(time.RFC3339))
	if err != nil || !hmac.Equal([]byte(want), fmt.Appendf(nil, "%X", w.mac.Sum(nil))) {
		return nil, fault(at.Line, nil, "encrypted with SOPS, and changed since: its MAC does not fit. Edit it with `sops %s`", file)
	}
	for _, d := range docs {
		removeKey(d, sopsKey)
	}
	return w.secret, nil
}
