package charts

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// maxHops is how many redirects are followed.
const maxHops = 5

type agent struct {
	next http.RoundTripper
	name string
}

func (a agent) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", a.name)
	return a.next.RoundTrip(r)
}

// request is one GET.
type request struct {
	to         *url.URL
	accept     string
	bearer     string                                       // for the host of to alone
	most       int64                                        // bytes that the answer may have
	challenged func(*http.Response) (again bool, err error) // at a 401; nil takes it for an answer
}

// open sends the request and follows its redirects, to hosts of the allowlist only. The caller closes the body, and
// reads no more of it than it wants.
func (s *Store) open(ctx context.Context, q *request) (io.ReadCloser, error) {
	to, asked := q.to, false
	for hop := 0; hop <= maxHops; hop++ {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		if q.accept != "" {
			r.Header.Set("Accept", q.accept)
		}
		home := to.Scheme == q.to.Scheme && to.Host == q.to.Host
		if login, known := s.logins[to.Host]; home && q.bearer != "" {
			r.Header.Set("Authorization", "Bearer "+q.bearer)
		} else if known {
			r.SetBasicAuth(login.Username, login.Password)
		}
		resp, err := s.client.Do(r)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, unquery(err))
		}
		switch {
		case resp.StatusCode == http.StatusOK && resp.ContentLength > q.most:
			resp.Body.Close()
			return nil, tooLarge(plain(to))
		case resp.StatusCode == http.StatusOK:
			return resp.Body, nil
		case resp.StatusCode == http.StatusUnauthorized && q.challenged != nil && home && !asked:
			asked = true
			again, err := q.challenged(resp)
			resp.Body.Close()
			if err != nil {
				return nil, err
			}
			if again {
				continue
			}
			return nil, refused(to, resp)
		}
		resp.Body.Close()
		next, err := resp.Location()
		if err != nil || resp.StatusCode < 300 || resp.StatusCode > 399 {
			return nil, refused(to, resp)
		}
		if !s.allow.reaches(next) {
			return nil, &Fault{"source", fmt.Errorf("%s redirects to %s://%s, which is %w: allow that host as well in the charts block of the server's configuration", plain(to), next.Scheme, next.Host, ErrNotAllowed)}
		}
		next.User = nil
		to = next
	}
	return nil, fmt.Errorf("%w: %s redirects more than %d times", ErrUnavailable, plain(q.to), maxHops)
}

func refused(to *url.URL, resp *http.Response) error {
	remedy := ""
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		remedy = fmt.Sprintf("; credentials for it are credentials %q in the charts block of the server's configuration", to.Host)
	}
	return fmt.Errorf("%w: %s answers %s%s", ErrUnavailable, plain(to), resp.Status, remedy)
}

// plain is an address without a query, which may be signed.
func plain(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// unquery takes the query out of an error of the client.
func unquery(err error) error {
	if e, ok := err.(*url.Error); ok {
		if u, bad := url.Parse(e.URL); bad == nil {
			return fmt.Errorf("get %s: %w", plain(u), e.Err)
		}
	}
	return err
}
