package charts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	maxArchive   = 32 << 20        // bytes of a packed chart
	fetchTimeout = 2 * time.Minute // for one chart, all its requests together
)

var (
	// ErrUnavailable is wrapped where nobody gave the chart: another time may do better.
	ErrUnavailable = errors.New("the chart cannot be fetched")
	// ErrOtherContent is wrapped where the content is not that of the digest.
	ErrOtherContent = errors.New("the chart has another digest")
)

// Login is what a host is told: HTTP's basic authentication.
type Login struct{ Username, Password string }

// Store keeps archives in a directory, each under its digest. It may be used from several goroutines.
type Store struct {
	dir    string
	allow  Allowlist
	logins map[string]Login // by host, with the port where one is written
	client *http.Client

	mu       sync.Mutex               // guards fetching
	fetching map[string]chan struct{} // by digest; closed when the fetch has ended
}

// NewStore answers a store in dir, which is made when the first chart comes. Nothing is fetched that allow does not name.
func NewStore(dir string, allow Allowlist, logins map[string]Login, userAgent string) *Store {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // the digest is one of the bytes as they were sent
	transport.ResponseHeaderTimeout = 30 * time.Second
	return &Store{dir: dir, allow: allow, logins: logins, fetching: map[string]chan struct{}{}, client: &http.Client{
		Transport: agent{transport, userAgent},
		// Each hop is looked at before it is gone to, and gets its own host's credentials or none.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Get answers the file that holds the chart's archive, fetched if it is not there yet. Its content has the digest. The
// error is a *Fault that names the part of r to blame, or wraps ErrUnavailable.
func (s *Store) Get(ctx context.Context, r Ref) (string, error) {
	if err := s.allow.Check(r); err != nil { // what is kept may have been allowed once
		return "", err
	}
	file := filepath.Join(s.dir, strings.TrimPrefix(r.Digest, "sha256:")+".tgz")
	for {
		if intact(file, r.Digest) {
			now := time.Now()
			_ = os.Chtimes(file, now, now) // Collect goes by it; a file that looks older is at worst fetched again
			return file, nil
		}
		s.mu.Lock()
		other, busy := s.fetching[r.Digest]
		if !busy {
			other = make(chan struct{})
			s.fetching[r.Digest] = other
		}
		s.mu.Unlock()
		if !busy {
			err := s.fetch(ctx, r, file)
			s.mu.Lock()
			delete(s.fetching, r.Digest)
			s.mu.Unlock()
			close(other)
			return file, err
		}
		select {
		case <-other: // it is there now, or this one tries itself
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// intact tells whether the file is there with the content of the digest.
func intact(file, digest string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return err == nil && "sha256:"+hex.EncodeToString(sum.Sum(nil)) == digest
}

// fetch puts the chart into file: whole and of the digest, or not at all.
func (s *Store) fetch(ctx context.Context, r Ref, file string) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	u, err := url.Parse(r.Source)
	if err != nil {
		return &Fault{"source", err}
	}
	var body io.ReadCloser
	if u.Scheme == "oci" {
		body, err = s.fromRegistry(ctx, u, r)
	} else {
		body, err = s.open(ctx, &request{to: u, most: maxArchive})
	}
	if err != nil {
		return err
	}
	defer body.Close()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("keep the chart: %w", err)
	}
	tmp, err := os.CreateTemp(s.dir, "fetch-*")
	if err != nil {
		return fmt.Errorf("keep the chart: %w", err)
	}
	defer os.Remove(tmp.Name()) // fails once it has its name, as it should
	defer tmp.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, sum), io.LimitReader(body, maxArchive+1))
	switch got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); {
	case err != nil:
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, r.Source, err)
	case n > maxArchive:
		return tooLarge(r.Source)
	case got != r.Digest:
		return &Fault{"digest", fmt.Errorf("%w: what %s gives is %s, not %s. It is not opened", ErrOtherContent, r.Source, got, r.Digest)}
	}
	if err := errors.Join(tmp.Sync(), tmp.Close(), os.Rename(tmp.Name(), file)); err != nil {
		return fmt.Errorf("keep the chart: %w", err)
	}
	return nil
}

func tooLarge(source string) error {
	return &Fault{"source", fmt.Errorf("%s is larger than a chart may be, 32 MiB", source)}
}

// Collect removes charts that were last used before the time, and what fetches that were cut short left. dryRun only
// counts. It answers how many went and their bytes.
func (s *Store) Collect(before time.Time, dryRun bool) (removed int, bytes int64, failed error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	failed = err
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !info.ModTime().Before(before) {
			continue // gone by itself, or in use
		}
		if !dryRun {
			err = os.Remove(filepath.Join(s.dir, e.Name()))
		}
		if failed = errors.Join(failed, err); err == nil {
			removed, bytes = removed+1, bytes+info.Size()
		}
	}
	return removed, bytes, failed
}
