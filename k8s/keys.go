package k8s

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// KeyConfig says what opens files that SOPS encrypted. The zero value opens none.
type KeyConfig struct {
	AgeKeyFile string   // a file of age identities; "" is none
	KeyService string   // the unix socket of a `sops keyservice`; "" is none
	Keys       []string // what the key service may be asked for, each as SOPS names it: an ARN, a fingerprint
}

// Keys open files that SOPS encrypted. A nil *Keys and the zero value open none.
type Keys struct {
	age     []age.Identity
	service *keyService
	allowed []string
}

// ReadKeys makes ready what the config names. Nothing else is looked at: no environment, no home.
func ReadKeys(cfg KeyConfig) (*Keys, error) {
	k := &Keys{allowed: cfg.Keys}
	if cfg.KeyService != "" {
		k.service = newKeyService(cfg.KeyService)
	}
	if cfg.AgeKeyFile == "" {
		return k, nil
	}
	data, err := os.ReadFile(cfg.AgeKeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the age key: %w", err)
	}
	if k.age, err = age.ParseIdentities(bytes.NewReader(data)); err != nil {
		return nil, fmt.Errorf("read the age key: %s holds something that is no age identity", cfg.AgeKeyFile) // its text may be a key
	}
	return k, nil
}

// open decrypts the key of a file.
func (k *Keys) open(file sopsKeys) ([]byte, error) {
	if k == nil || len(k.age) == 0 && k.service == nil {
		return nil, errors.New("no key is configured; name one in the server's configuration: sops { age_key_file = \"…\" }")
	}
	if len(k.age) > 0 {
		for _, a := range file.Age {
			r, err := age.Decrypt(armor.NewReader(strings.NewReader(a.Enc)), k.age...)
			if err != nil {
				continue
			}
			if key, err := io.ReadAll(io.LimitReader(r, 64)); err == nil && len(key) == 32 {
				return key, nil
			}
		}
	}
	return k.ask(file)
}

// ask tries the key service with the keys that the operator allows: a file may name any address and any
// account, and the service would go there with the operator's credentials.
func (k *Keys) ask(file sopsKeys) ([]byte, error) {
	err := errors.New("none of these is configured; encrypt it for a key that is: `sops rotate -i --add-age …`")
	if k.service == nil {
		return nil, err
	}
	for _, name := range file.allowed(k.allowed) {
		var key []byte
		if key, err = k.service.decrypt(name.request()); err == nil {
			return key, nil
		}
		err = fmt.Errorf("%s: %w", name.id, err)
	}
	return nil, err
}
