package runner

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestSecondMooringIsToldWhoHasTheDataDirectory(t *testing.T) {
	dir := t.TempDir()
	j, err := openJournal(dir, noon)
	if err != nil {
		t.Fatal(err)
	}
	defer j.db.Close()
	began := time.Now()
	_, err = openJournal(dir, noon)
	var busy *BusyError
	if !errors.As(err, &busy) || !errors.Is(err, ErrBusy) {
		t.Fatalf("second open = %v, want a BusyError", err)
	}
	if busy.PID != os.Getpid() || !busy.Since.Equal(noon) {
		t.Errorf("holder = %+v, want process %d since noon", busy, os.Getpid())
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %s to say so, want at most 2s", took)
	}
}

func TestDatabaseThatIsNotOursIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mooring.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("vault")); return err })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := openJournal(dir, noon); !errors.Is(err, ErrNotOurs) || !strings.Contains(err.Error(), path) {
		t.Errorf("open = %v, want ErrNotOurs naming %s", err, path)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	j, err := openJournal(dir, noon)
	if err != nil {
		t.Fatal(err)
	}
	err = j.update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put([]byte("format"), []byte("9")) })
	if err := errors.Join(err, j.db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := openJournal(dir, noon); err == nil || !strings.Contains(err.Error(), `format "9"`) {
		t.Errorf("open = %v, want a refusal that names the format", err)
	}
}

// However a database is damaged, opening it answers with an error and leaves the
// file as it is.
func TestDamagedDatabaseIsAnError(t *testing.T) {
	whole := func(t *testing.T) []byte {
		dir := t.TempDir()
		j, err := openJournal(dir, noon)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			err := j.update(func(tx *bbolt.Tx) error {
				return createRun(tx, &Run{Repository: "infra", Subject: strings.Repeat("x", 1000), Units: []UnitResult{{ID: "a"}}})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := j.db.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, "mooring.db"))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	page := os.Getpagesize()
	tests := []struct {
		name  string
		spoil func(data []byte) []byte
	}{
		{"not a database", func([]byte) []byte { return []byte(strings.Repeat("hello\n", 10_000)) }},
		{"cut to one byte", func(d []byte) []byte { return d[:1] }},
		{"cut to two pages", func(d []byte) []byte { return d[:2*page] }},
		{"cut to five pages", func(d []byte) []byte { return d[:5*page] }},
		{"cut to half", func(d []byte) []byte { return d[:len(d)/2/page*page] }},
		{"both meta pages zeroed", func(d []byte) []byte { clear(d[:2*page]); return d }},
		{"pages in the middle overwritten", func(d []byte) []byte {
			for i := 2 * page; i < len(d); i++ {
				d[i] = 0xa5
			}
			return d
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "mooring.db")
			spoilt := tt.spoil(whole(t))
			if err := os.WriteFile(path, spoilt, 0o600); err != nil {
				t.Fatal(err)
			}
			j, err := openJournal(dir, noon)
			if err == nil {
				j.db.Close()
			}
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("open = %v, want ErrDamaged", err)
			}
			after, err := os.ReadFile(path)
			if err != nil || len(after) != len(spoilt) {
				t.Errorf("the damaged file has %d bytes after, %d before, %v", len(after), len(spoilt), err)
			}
		})
	}
}

func TestKeyFileThatOthersCanReadIsRefused(t *testing.T) {
	dir := t.TempDir()
	j, err := openJournal(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer j.db.Close()
	s, err := openSealer(dir, "", j)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.seal([]byte("hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(sealed), "hunter2") {
		t.Fatal("the sealed value shows")
	}
	again, err := openSealer(dir, "", j)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := again.open(sealed); err != nil || string(plain) != "hunter2" {
		t.Errorf("opened with the same key file: %q, %v", plain, err)
	}
	key := filepath.Join(dir, "mooring.key")
	if err := os.Chmod(key, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := openSealer(dir, "", j); err == nil || !strings.Contains(err.Error(), "0640") {
		t.Errorf("a key file of mode 0640: %v, want a refusal", err)
	}
	secret, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, append([]byte("x"), secret...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openSealer(dir, "", j); err == nil || strings.Contains(err.Error(), strings.TrimSpace(string(secret))) {
		t.Errorf("a spoilt key file: %v, want an error without the key", err)
	}
	// Lost, or another one: what was sealed could not be read, so nothing goes on as if nothing were.
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if _, err := openSealer(dir, "", j); err == nil || !strings.Contains(err.Error(), "is gone") || !strings.Contains(err.Error(), key) {
		t.Errorf("a key file that is gone: %v", err)
	}
	other, err := makeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openSealer(dir, "", j); err == nil || !strings.Contains(err.Error(), "another key ("+other.identity.Recipient().String()) {
		t.Errorf("another key file: %v", err)
	}
	// A file that the operator names, as age-keygen writes it; never made.
	named := filepath.Join(dir, "named")
	if _, err := openSealer(dir, named, j); err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("a named key file that is not there: %v", err)
	}
	if err := os.WriteFile(named, append([]byte("# created: today\n"), secret...), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = openSealer(dir, named, j); err != nil {
		t.Fatal(err)
	}
	if plain, err := s.open(sealed); err != nil || string(plain) != "hunter2" {
		t.Errorf("opened with a named key file: %q, %v", plain, err)
	}
}
