package runner

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
)

// sealer encrypts what the database may hold only encrypted: sensitive outputs.
// The key stands beside the database, so this protects a copy of the database
// (a backup, a support bundle), not the data directory as a whole.
type sealer struct{ identity *age.X25519Identity }

// openSealer reads the key file of a data directory, or makes it (0600) where
// the directory has none yet.
func openSealer(dataDir string) (*sealer, error) {
	path := filepath.Join(dataDir, "mooring.key")
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open the key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key file %s has mode %04o: others can read it; chmod 600 it, and think of what it protected as seen", path, info.Mode().Perm())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open the key file: %w", err)
	}
	identity, err := age.ParseX25519Identity(strings.TrimSpace(string(data)))
	if err != nil {
		// The parser's message may quote the key.
		return nil, fmt.Errorf("key file %s does not hold an age identity: restore it from a backup", path)
	}
	return &sealer{identity}, nil
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
