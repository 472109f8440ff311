package terraform

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"
)

// ErrSealed says that what rests sealed on disk cannot be opened: it was changed, cut off, or sealed for another key.
var ErrSealed = errors.New("cannot be opened: it was changed, or the key is another one")

// sealInto writes what r has to w, sealed for a recipient. Only the holder of the identity can read it, and a changed byte is noticed.
func sealInto(w io.Writer, r io.Reader, recipient string) error {
	to, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	sealed, err := age.Encrypt(w, to)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	if _, err := io.Copy(sealed, r); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	if err := sealed.Close(); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return nil
}

// openSealed reads a sealed file whole. Errors: fs.ErrNotExist, ErrSealed.
func openSealed(name string, identity *age.X25519Identity) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return openReader(file, identity)
}

func openBytes(sealed []byte, identity *age.X25519Identity) ([]byte, error) {
	return openReader(bytes.NewReader(sealed), identity)
}

func openReader(sealed io.Reader, identity *age.X25519Identity) ([]byte, error) {
	clear, err := age.Decrypt(sealed, identity)
	if err != nil {
		return nil, ErrSealed // age's own words add nothing that a person could act on
	}
	data, err := io.ReadAll(clear)
	if err != nil {
		return nil, ErrSealed
	}
	return data, nil
}
