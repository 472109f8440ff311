package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/open-policy-agent/opa/v1/bundle"
)

// readFile reads a bundle that is a file.
func (s Source) readFile() ([]byte, error) {
	f, err := os.Open(s.Location)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return s.limited(f)
}

func (s Source) limited(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, s.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > s.MaxBytes {
		return nil, fmt.Errorf("it is larger than %d bytes", s.MaxBytes)
	}
	return body, nil
}

// fetch asks the address whether it has another bundle than the kept one, checks what it gives, and keeps it.
func (s Source) fetch(ctx context.Context, kept copyOf, keys []*bundle.KeyConfig) (Bundle, error) {
	u, err := url.Parse(s.Location)
	if err != nil {
		return Bundle{}, errors.New("the address cannot be read")
	}
	if u.Scheme != "https" || u.Host == "" || u.User != nil {
		return Bundle{}, errors.New("the address has to begin with https:// and may not name a user")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Location, nil)
	if err != nil {
		return Bundle{}, err
	}
	if kept.Etag != "" {
		req.Header.Set("If-None-Match", kept.Etag)
	}
	resp, err := s.client().Do(req)
	if err != nil {
		var failed *url.Error // says the address, which may have a token
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return Bundle{}, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && kept.Etag != "":
		if err := s.notOlder(kept.Bundle); err != nil {
			return Bundle{}, err
		}
		kept.Checked = s.Now()
		return kept.Bundle, s.keep(kept.body, kept.Etag, kept.Checked)
	case resp.StatusCode != http.StatusOK:
		return Bundle{}, fmt.Errorf("the server says %s", resp.Status)
	}
	body, err := s.limited(resp.Body)
	if err != nil {
		return Bundle{}, err
	}
	b, err := s.open(body, keys)
	if err == nil {
		err = s.notOlder(b)
	}
	if err != nil {
		return Bundle{}, err
	}
	b.Checked = s.Now()
	return b, s.keep(body, resp.Header.Get("ETag"), b.Checked)
}

// client follows a redirection to https only.
func (s Source) client() *http.Client {
	c := http.Client{Timeout: 30 * time.Second}
	if s.Client != nil {
		c = *s.Client
	}
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if req.URL.Scheme != "https" {
			return errors.New("redirected to what is not https")
		}
		if len(via) >= 5 {
			return errors.New("redirected too often")
		}
		return nil
	}
	return &c
}
