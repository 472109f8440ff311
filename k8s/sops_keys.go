package k8s

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// sopsKeys are keys of which each opens the file by itself.
type sopsKeys struct {
	Age   []sopsMaster `yaml:"age"`
	KMS   []sopsMaster `yaml:"kms"`
	GCP   []sopsMaster `yaml:"gcp_kms"`
	Azure []sopsMaster `yaml:"azure_kv"`
	Vault []sopsMaster `yaml:"hc_vault"`
	HC    []sopsMaster `yaml:"hckms"`
	PGP   []sopsMaster `yaml:"pgp"`
}

// sopsMaster is one key, of any kind, and the file's own key as it encrypted it.
type sopsMaster struct {
	Enc         string             `yaml:"enc"`
	Recipient   string             `yaml:"recipient"`
	ARN         string             `yaml:"arn"`
	Role        string             `yaml:"role"`
	Context     map[string]*string `yaml:"context"`
	ResourceID  string             `yaml:"resource_id"`
	VaultURL    string             `yaml:"vault_url"`
	Name        string             `yaml:"name"`
	Version     string             `yaml:"version"`
	Address     string             `yaml:"vault_address"`
	Engine      string             `yaml:"engine_path"`
	KeyName     string             `yaml:"key_name"`
	KeyID       string             `yaml:"key_id"`
	Fingerprint string             `yaml:"fp"`
}

// sopsName is a key as SOPS itself names it, and as its key service wants it: message Key of keyservice.proto.
type sopsName struct {
	id      string
	kind    protowire.Number
	fields  []string // numbered from 1
	context map[string]*string
	enc     string
}

// named lists the keys, age first.
func (k sopsKeys) named() (names []sopsName) {
	add := func(list []sopsMaster, name func(m sopsMaster) sopsName) {
		for _, m := range list {
			n := name(m)
			n.enc = m.Enc
			names = append(names, n)
		}
	}
	add(k.Age, func(m sopsMaster) sopsName { return sopsName{id: m.Recipient, kind: 6, fields: []string{m.Recipient}} })
	add(k.KMS, func(m sopsMaster) sopsName {
		return sopsName{id: m.ARN, kind: 1, fields: []string{m.ARN, m.Role}, context: m.Context}
	})
	add(k.GCP, func(m sopsMaster) sopsName {
		return sopsName{id: m.ResourceID, kind: 3, fields: []string{m.ResourceID}}
	})
	add(k.Azure, func(m sopsMaster) sopsName {
		return sopsName{id: m.VaultURL + "/keys/" + m.Name + "/" + m.Version, kind: 4, fields: []string{m.VaultURL, m.Name, m.Version}}
	})
	add(k.Vault, func(m sopsMaster) sopsName {
		return sopsName{id: m.Address + "/v1/" + m.Engine + "/keys/" + m.KeyName, kind: 5, fields: []string{m.Address, m.Engine, m.KeyName}}
	})
	add(k.HC, func(m sopsMaster) sopsName { return sopsName{id: m.KeyID, kind: 7, fields: []string{m.KeyID}} })
	add(k.PGP, func(m sopsMaster) sopsName {
		return sopsName{id: m.Fingerprint, kind: 2, fields: []string{m.Fingerprint}}
	})
	return names
}

// names lists the keys for a person.
func (k sopsKeys) names() string {
	var ids []string
	for _, n := range k.named() {
		ids = append(ids, n.id)
	}
	return strings.Join(ids, ", ")
}

// request is the key service's DecryptRequest for the key.
func (n sopsName) request() []byte {
	var fields []byte
	for i, f := range n.fields {
		if f != "" {
			fields = protowire.AppendString(protowire.AppendTag(fields, protowire.Number(i+1), protowire.BytesType), f)
		}
	}
	for _, k := range sortedKeys(n.context) {
		if n.context[k] == nil {
			continue
		}
		entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), k)
		entry = protowire.AppendString(protowire.AppendTag(entry, 2, protowire.BytesType), *n.context[k])
		fields = protowire.AppendBytes(protowire.AppendTag(fields, 3, protowire.BytesType), entry)
	}
	key := protowire.AppendBytes(protowire.AppendTag(nil, n.kind, protowire.BytesType), fields)
	request := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), key)
	return protowire.AppendString(protowire.AppendTag(request, 2, protowire.BytesType), n.enc)
}

// allowed leaves the keys that a list names.
func (k sopsKeys) allowed(ids []string) []sopsName {
	return slices.DeleteFunc(k.named(), func(n sopsName) bool { return !slices.Contains(ids, n.id) })
}
