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

// Keys open files that SOPS encrypted. A nil *Keys and the zero value open none.
type Keys struct {
	age []age.Identity
}

// ReadKeys reads the age identities of the files named. Nothing else is looked at: no environment, no home.
func ReadKeys(ageKeyFiles ...string) (*Keys, error) {
	k := &Keys{}
	for _, name := range ageKeyFiles {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the age key: %w", err)
		}
		ids, err := age.ParseIdentities(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("read the age key: %s holds something that is no age identity", name) // its text may be a key
		}
		k.age = append(k.age, ids...)
	}
	return k, nil
}

// open decrypts the key of a file.
func (k *Keys) open(file sopsKeys) ([]byte, error) {
	if k == nil || len(k.age) == 0 {
		return nil, errors.New("no key is configured; name one in the server's configuration: sops { age_key_file = \"…\" }")
	}
	if len(file.Age) == 0 {
		return nil, errors.New("only age keys can be used; encrypt it for an age key, too: `sops rotate -i --add-age …`")
	}
	for _, a := range file.Age {
		r, err := age.Decrypt(armor.NewReader(strings.NewReader(a.Enc)), k.age...)
		if err != nil {
			continue
		}
		if key, err := io.ReadAll(io.LimitReader(r, 64)); err == nil && len(key) == 32 {
			return key, nil
		}
	}
	return nil, errors.New("the configured age key is none of these; encrypt it for that key, too: `sops rotate -i --add-age …`")
}
