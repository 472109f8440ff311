package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/open-policy-agent/opa/v1/bundle"
)

// copyOf is a bundle that was kept.
type copyOf struct {
	Bundle
	Etag string
	body []byte
}

// note is what stands beside the kept bundle.
type note struct {
	Etag    string    `json:"etag"`
	Checked time.Time `json:"checked"`
	Sum     string    `json:"sha256"` // of the bundle: a note of another is of no use
}

// files are where the bundle of a location is kept.
func (s Source) files() (body, beside string) {
	sum := sha256.Sum256([]byte(s.Location))
	base := filepath.Join(s.Cache, hex.EncodeToString(sum[:8]))
	return base + ".tar.gz", base + ".json"
}

// kept reads the bundle that was kept, and checks it as if it had just come.
func (s Source) kept(keys []*bundle.KeyConfig) (copyOf, error) {
	if s.Cache == "" {
		return copyOf{}, errors.New("nothing is kept")
	}
	file, beside := s.files()
	text, err := os.ReadFile(beside)
	if err != nil {
		return copyOf{}, err
	}
	var n note
	if err := json.Unmarshal(text, &n); err != nil {
		return copyOf{}, err
	}
	s.Location = file
	body, err := s.readFile()
	if err != nil {
		return copyOf{}, err
	}
	if sumOf(body) != n.Sum {
		return copyOf{}, errors.New("what was kept is not what the note beside it is about")
	}
	b, err := s.open(body, keys)
	if err != nil {
		return copyOf{}, err
	}
	b.Checked = n.Checked
	return copyOf{b, n.Etag, body}, nil
}

// keep puts a good bundle aside.
func (s Source) keep(body []byte, etag string, checked time.Time) error {
	if s.Cache == "" {
		return nil
	}
	if err := os.MkdirAll(s.Cache, 0o700); err != nil {
		return err
	}
	text, err := json.Marshal(note{etag, checked, sumOf(body)})
	if err != nil {
		return err
	}
	file, beside := s.files()
	if err := replace(file, body); err != nil {
		return err
	}
	return replace(beside, text)
}

func sumOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// replace writes a file so that no reader sees half of it.
func replace(file string, body []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(body)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
