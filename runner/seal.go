package runner

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"
)

// sealer encrypts what the database may hold only encrypted: sensitive outputs.
// The key stands beside the database, so this protects a copy of the database
// (a backup, a support bundle), not the data directory as a whole.
type sealer struct{ identity *age.X25519Identity }

// recipientKey is where the journal remembers whom things were sealed for.
var recipientKey = []byte("recipient")

// openSealer reads the key file that the operator named, or that of the data
// directory, which is made (0600) at the first start. A key that was there and is
// gone, or another one, is an error: what was sealed could not be read.
func openSealer(dataDir, keyFile string, j *journal) (*sealer, error) {
	path := cmp.Or(keyFile, filepath.Join(dataDir, "mooring.key"))
	known, err := j.meta(recipientKey)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && keyFile == "" && known == nil:
		s, err := makeKey(path)
		if err != nil {
			return nil, err
		}
		return s, j.setMeta(recipientKey, []byte(s.identity.Recipient().String()))
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("key file %s is gone: held plans, kept states and sensitive outputs are sealed with it; restore it from a backup, or move mooring.db away to start without history (state and clusters are not touched; every unit is planned again)", path)
	case err != nil:
		return nil, fmt.Errorf("open the key file: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("key file %s has mode %04o: others can read it; chmod 600 it, and think of what it protected as seen", path, info.Mode().Perm())
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the key file: %w", err)
	}
	defer file.Close()
	identities, err := age.ParseIdentities(file)
	var identity *age.X25519Identity
	for _, i := range identities {
		if x, ok := i.(*age.X25519Identity); ok && identity == nil {
			identity = x
		}
	}
	if err != nil || identity == nil {
		// The parser's message may quote the key.
		return nil, fmt.Errorf("key file %s does not hold an age identity: restore it from a backup", path)
	}
	recipient := identity.Recipient().String()
	if known != nil && string(known) != recipient {
		return nil, fmt.Errorf("key file %s holds another key (%s) than the one this data directory is sealed with (%s): restore that one from a backup, or move mooring.db away to start without history (state and clusters are not touched; every unit is planned again)", path, recipient, known)
	}
	return &sealer{identity}, j.setMeta(recipientKey, []byte(recipient))
}

func makeKey(path string) (*sealer, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the key file: %w", err)
	}
	_, err = fmt.Fprintln(f, identity)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("write the key file: %w", err)
	}
	return &sealer{identity}, nil
}

func (s *sealer) seal(plain []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := age.Encrypt(&b, s.identity.Recipient())
	if err == nil {
		_, err = w.Write(plain)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return b.Bytes(), nil
}

func (s *sealer) open(sealed []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), s.identity)
	if err == nil {
		var plain []byte
		if plain, err = io.ReadAll(r); err == nil {
			return plain, nil
		}
	}
	return nil, fmt.Errorf("open a sealed value: %w (was the key file replaced?)", err)
}

// derive makes a key for one purpose, from which nothing else follows.
func (s *sealer) derive(purpose string) []byte {
	mac := hmac.New(sha256.New, []byte(s.identity.String()))
	mac.Write([]byte(purpose)) // never fails
	return mac.Sum(nil)
}
