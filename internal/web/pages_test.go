package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const password = "correct horse battery"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// book is Pages of functions; by default a page says what was asked for.
type book struct {
	unit func(w io.Writer, run, unit string) error
}

func (b book) Runs(w io.Writer) error {
	_, err := io.WriteString(w, "all runs\n")
	return err
}

func (b book) Run(w io.Writer, run string) error {
	if run != "r12" {
		return fmt.Errorf("run %s: %w", run, ErrNoPage)
	}
	_, err := fmt.Fprintf(w, "run %s\n", run)
	return err
}

func (b book) Unit(w io.Writer, run, unit string) error {
	if b.unit != nil {
		return b.unit(w, run, unit)
	}
	_, err := fmt.Fprintf(w, "unit %q of %s\n", unit, run)
	return err
}

func get(h http.Handler, method, path string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func basic(password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth("anna", password) }
}

func TestPages(t *testing.T) {
	h := handler(t, Options{Pages: book{}, Password: password})
	tests := []struct {
		path   string
		status int
		says   string
	}{
		{"/runs", 200, "all runs\n"},
		{"/runs/", 200, "all runs\n"},
		{"/runs/r12", 200, "run r12\n"},
		{"/runs/r12/", 200, "run r12\n"},
		{"/runs/r13", 404, "there is no such page\n"},
		{"/runs/r12/infra/network:staging", 200, "unit \"infra/network:staging\" of r12\n"},
		{"/runs/r12/a%2Fb%3Fc%23d%20e", 200, "unit \"a/b?c#d e\" of r12\n"},
		{"/runs/r12?unit=.", 200, "unit \".\" of r12\n"},
	}
	for _, tt := range tests {
		w := get(h, "GET", tt.path, basic(password))
		if w.Code != tt.status || w.Body.String() != tt.says {
			t.Errorf("GET %s: %d %q, want %d %q", tt.path, w.Code, w.Body, tt.status, tt.says)
		}
		if w.Header().Get("Cache-Control") != "no-store" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("GET %s: header %v", tt.path, w.Header())
		}
		if w := get(h, "POST", tt.path, basic(password)); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", tt.path, w.Code)
		}
	}
}

// Every name that a unit may have comes back from its path, over a real connection.
func TestUnitPathsComeBack(t *testing.T) {
	s := httptest.NewServer(handler(t, Options{Pages: book{}, Password: password}))
	defer s.Close()
	units := []string{".", "..", "infra/network", "infra/network:staging", "a/../b", "a//b", "/a", "a/", "a b", "ü/ö", "a%2Fb", "%2e", "a?b=c&d#e", "-", "a;b", "runs/r1", "<b>", `a\b`, "a+b", strings.Repeat("x/", 200) + "y"}
	for _, unit := range units {
		r, err := http.NewRequest("GET", s.URL+UnitPath("r12", unit), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "bearer "+password)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if want := fmt.Sprintf("unit %q of r12\n", unit); err != nil || string(body) != want || resp.Request.URL.String() != r.URL.String() {
			t.Errorf("%s: %q, %v, want %q", UnitPath("r12", unit), body, err, want)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestPagesAreOffWithoutAPassword(t *testing.T) {
	for _, o := range []Options{{}, {Pages: book{}}, {Password: password}} {
		h := handler(t, o)
		for _, path := range []string{"/runs", "/runs/r12", "/runs/r12/a"} {
			for _, auth := range []func(*http.Request){nil, basic(""), basic(password)} {
				if w := get(h, "GET", path, auth); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "pages { password") {
					t.Errorf("GET %s with %+v: %d %s", path, o, w.Code, w.Body)
				}
			}
		}
	}
}

func TestWhoMaySeePages(t *testing.T) {
	tests := []struct {
		name, header string
		status       int
	}{
		{"nobody", "", 401},
		{"bearer", "Bearer " + password, 200},
		{"bearer in small letters", "bearer  " + password, 200},
		{"another scheme", "Digest " + password, 401},
		{"a wrong bearer", "Bearer x" + password, 401},
		{"the start of it", "Bearer " + password[:10], 401},
		{"an empty bearer", "Bearer ", 401},
		{"no scheme", password, 401},
		{"basic that is none", "Basic " + password, 401},
	}
	for _, tt := range tests {
		h := handler(t, Options{Pages: book{}, Password: password})
		w := get(h, "GET", "/runs/r12", func(r *http.Request) { r.Header.Set("Authorization", tt.header) })
		if w.Code != tt.status {
			t.Errorf("%s: %d, want %d", tt.name, w.Code, tt.status)
		}
		if asked := w.Header().Get("WWW-Authenticate") != ""; asked != (tt.status == 401) || strings.Contains(w.Body.String(), password) || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v %s", tt.name, w.Header(), w.Body)
		}
	}
	h := handler(t, Options{Pages: book{}, Password: password})
	for _, user := range []string{"", "anna", "x:y"} {
		w := get(h, "GET", "/runs", func(r *http.Request) { r.SetBasicAuth(strings.ReplaceAll(user, ":", ""), password) })
		if w.Code != http.StatusOK {
			t.Errorf("user %q: %d", user, w.Code)
		}
	}
	if w := get(h, "GET", "/runs/nope", nil); w.Code != http.StatusUnauthorized {
		t.Errorf("a stranger learns whether a run is there: %d", w.Code)
	}
	for _, path := range []string{"/healthz", "/metrics"} { // as they were
		if w := get(h, "GET", path, nil); w.Code == http.StatusUnauthorized {
			t.Errorf("%s asks for a password", path)
		}
	}
}

func TestGuessesAreLimited(t *testing.T) {
	now := noon
	h := handler(t, Options{Pages: book{}, Password: password, Now: func() time.Time { return now }})
	from := func(address, password string) int {
		return get(h, "GET", "/runs", func(r *http.Request) {
			r.RemoteAddr = address
			r.SetBasicAuth("x", password)
		}).Code
	}
	for i := range maxFailures {
		if got := from(fmt.Sprintf("192.0.2.1:%d", 1000+i), "wrong"); got != 401 {
			t.Fatalf("guess %d: %d", i, got)
		}
		now = now.Add(time.Second)
	}
	for _, p := range []string{"wrong", password} { // or the answer would tell
		if got := from("[::ffff:192.0.2.1]:1", p); got != 429 {
			t.Errorf("after the tenth, with %q: %d", p, got)
		}
	}
	if got := from("192.0.2.2:1", password); got != 200 {
		t.Errorf("somebody else: %d", got)
	}
	now = noon.Add(failureWindow - time.Second)
	w := get(h, "GET", "/runs", func(r *http.Request) { r.RemoteAddr = "192.0.2.1:1"; r.SetBasicAuth("x", "y") })
	if w.Code != 429 || w.Header().Get("Retry-After") != "2" {
		t.Errorf("a second before: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	now = noon.Add(failureWindow)
	if got := from("192.0.2.1:1", password); got != 200 {
		t.Errorf("a minute later: %d", got)
	}
	// One IPv6 network is one guesser.
	for i := range maxFailures {
		from(fmt.Sprintf("[2001:db8::%x]:1", i), "wrong")
	}
	if from("[2001:db8::ffff%eth0]:1", password) != 429 || from("[2001:db8:0:1::1]:1", password) != 200 {
		t.Error("IPv6 is not limited by network")
	}
}

func TestGuessesAtOnceAreTenToo(t *testing.T) {
	d := &door{password: password, now: func() time.Time { return noon }}
	var wg sync.WaitGroup
	looked := make(chan struct{}, 200)
	for range cap(looked) {
		wg.Go(func() {
			if _, wait := d.try(address("192.0.2.1:1"), "wrong"); wait == 0 {
				looked <- struct{}{}
			}
		})
	}
	wg.Wait()
	if len(looked) != maxFailures {
		t.Errorf("%d passwords were looked at, want %d", len(looked), maxFailures)
	}
}

func TestGuessersAreForgotten(t *testing.T) {
	now := noon
	d := &door{password: password, now: func() time.Time { return now }}
	for i := range 3 * maxAddresses {
		now = now.Add(time.Millisecond)
		d.try(address(fmt.Sprintf("10.%d.%d.1:1", i/256, i%256)), "wrong")
		if len(d.wrong) > maxAddresses {
			t.Fatalf("%d addresses are remembered", len(d.wrong))
		}
	}
	if _, known := d.wrong[address(fmt.Sprintf("10.%d.%d.1:1", (3*maxAddresses-1)/256, (3*maxAddresses-1)%256))]; !known {
		t.Error("the newest was forgotten before older ones")
	}
	now = now.Add(failureWindow)
	d.try(address("192.0.2.1:1"), "wrong")
	if len(d.wrong) != 1 {
		t.Errorf("%d are remembered after their minute", len(d.wrong))
	}
}

func TestPagesThatFail(t *testing.T) {
	boom := errors.New("open /var/lib/mooring/canary: no such file")
	long := strings.Repeat("0123456789abcdef", 1<<10)
	tests := []struct {
		name   string
		unit   func(w io.Writer, run, unit string) error
		status int
		ends   string
		told   bool
	}{
		{"before it begins", func(io.Writer, string, string) error { return boom }, 500, "this page cannot be shown now\n", true},
		{"half-way", func(w io.Writer, _, _ string) error { _, _ = io.WriteString(w, "half"); return boom }, 200, "half\n(cut: the rest could not be read)\n", true},
		{"too long", func(w io.Writer, _, _ string) error {
			for {
				if _, err := io.WriteString(w, long); err != nil {
					return fmt.Errorf("write: %w", err)
				}
			}
		}, 200, "\n(cut: a page ends after 64 MiB)\n", false},
	}
	for _, tt := range tests {
		var told error
		h := handler(t, Options{Pages: book{unit: tt.unit}, Password: password, Failed: func(err error) { told = err }})
		w := &tail{header: http.Header{}}
		r := httptest.NewRequest("GET", "/runs/r12/a", nil)
		r.SetBasicAuth("x", password)
		h.ServeHTTP(w, r)
		if w.status != tt.status || !strings.HasSuffix(string(w.last), tt.ends) || strings.Contains(string(w.last), "canary") {
			t.Errorf("%s: %d …%q, want %d …%q", tt.name, w.status, w.last, tt.status, tt.ends)
		}
		if errors.Is(told, boom) != tt.told {
			t.Errorf("%s: the operator was told %v", tt.name, told)
		}
		if w.size > maxPage+100 {
			t.Errorf("%s: %d bytes", tt.name, w.size)
		}
	}
}

// tail is a reader that keeps the end of what it gets.
type tail struct {
	header http.Header
	status int
	size   int
	last   []byte
}

func (w *tail) Header() http.Header    { return w.header }
func (w *tail) WriteHeader(status int) { w.status = status }
func (w *tail) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = 200
	}
	w.size += len(b)
	w.last = append(w.last, b...)
	w.last = w.last[max(0, len(w.last)-100):]
	return len(b), nil
}

func TestHeadMakesNoPage(t *testing.T) {
	writes := 0
	h := handler(t, Options{Password: password, Pages: book{unit: func(w io.Writer, _, unit string) error {
		if unit == "none" {
			return ErrNoPage
		}
		for {
			writes++
			if _, err := io.WriteString(w, "x"); err != nil {
				return err
			}
		}
	}}})
	if w := get(h, "HEAD", "/runs/r12/a", basic(password)); w.Code != 200 || w.Body.Len() != 0 || writes != 1 {
		t.Errorf("HEAD: %d, %d bytes after %d writes", w.Code, w.Body.Len(), writes)
	}
	if w := get(h, "HEAD", "/runs/r12/none", basic(password)); w.Code != 404 {
		t.Errorf("HEAD of nothing: %d", w.Code)
	}
	if w := get(h, "HEAD", "/runs/r12/a", nil); w.Code != 401 {
		t.Errorf("HEAD without a password: %d", w.Code)
	}
}

// A reader that does not read stops the writer once the connection is full; when it
// leaves, the writer is told.
func TestSlowReaderHoldsNoMemory(t *testing.T) {
	written := make(chan int, 1<<16)
	ended := make(chan error, 1)
	h := handler(t, Options{Password: password, Pages: book{unit: func(w io.Writer, _, _ string) error {
		piece := strings.Repeat("x", 32<<10)
		for {
			n, err := io.WriteString(w, piece)
			written <- n
			if err != nil {
				ended <- err
				return err
			}
		}
	}}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, h) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/runs/r12/a", nil)
	r.SetBasicAuth("x", password)
	if err := r.Write(c); err != nil {
		t.Fatal(err)
	}
	<-written
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("the writer was not told")
	}
	sum := 0
	for len(written) > 0 {
		sum += <-written
	}
	if sum >= maxPage {
		t.Errorf("%d bytes were taken for a reader that read none", sum)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestPagesAtOnce(t *testing.T) {
	inside, release := make(chan struct{}), make(chan struct{})
	h := handler(t, Options{Password: password, Pages: book{unit: func(io.Writer, string, string) error {
		inside <- struct{}{}
		<-release
		return nil
	}}})
	var wg sync.WaitGroup
	for range maxPages {
		wg.Go(func() {
			if w := get(h, "GET", "/runs/r12/a", basic(password)); w.Code != 200 {
				t.Errorf("one of those inside: %d", w.Code)
			}
		})
	}
	for range maxPages {
		<-inside
	}
	if w := get(h, "GET", "/runs", basic(password)); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("one too many: %d", w.Code)
	}
	close(release)
	wg.Wait()
	if w := get(h, "GET", "/runs", basic(password)); w.Code != 200 {
		t.Errorf("afterwards: %d", w.Code)
	}
}
