package notify

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// seen is a request as it arrived.
type seen struct {
	method, host, path string
	header             http.Header
	body               string
}

// internet answers every request of http.DefaultTransport on loopback, whatever its
// host: services' addresses are fixed in the library. Tests that use it are not parallel.
func internet(t *testing.T, handle http.HandlerFunc) func() []seen {
	t.Helper()
	var mu sync.Mutex
	var all []seen
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read a request: %v", err)
		}
		mu.Lock()
		all = append(all, seen{r.Method, r.Header.Get("X-Asked-Host"), r.URL.Path, r.Header, string(body)})
		mu.Unlock()
		handle(w, r)
	}))
	real := http.DefaultTransport
	http.DefaultTransport = detour{server.URL, &http.Transport{}}
	t.Cleanup(func() {
		http.DefaultTransport = real
		server.CloseClientConnections()
		server.Close()
	})
	return func() []seen {
		mu.Lock()
		defer mu.Unlock()
		return append([]seen(nil), all...)
	}
}

// onLoopback fills in where internet listens.
func onLoopback(raw string) string {
	if d, ok := http.DefaultTransport.(detour); ok {
		return strings.ReplaceAll(raw, "LOOPBACK", strings.TrimPrefix(d.to, "http://"))
	}
	return raw
}

type detour struct {
	to   string
	real *http.Transport
}

func (d detour) RoundTrip(r *http.Request) (*http.Response, error) {
	to, err := url.Parse(d.to)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("X-Asked-Host", r.URL.Host)
	r.URL.Scheme, r.URL.Host = to.Scheme, to.Host
	return d.real.RoundTrip(r)
}

func status(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text) // the test sees what the client makes of it
	}
}
