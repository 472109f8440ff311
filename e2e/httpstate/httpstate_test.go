package httpstate_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/httpstate"
)

// ask makes one request and returns the answer's status, 0 when the connection was cut.
func ask(ctx context.Context, method, url, body string) (int, string) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

func TestWritesNameTheHeldLock(t *testing.T) {
	s := newServer(t)
	const state, a, b = `{"serial":1,"lineage":"l"}`, `{"ID":"a","Who":"ada"}`, `{"ID":"b","Who":"bob"}`
	for i, c := range []struct {
		method, query, body string
		status              int
		says                string
	}{
		{"POST", "", state, 200, ""},
		{"POST", "?ID=a", state, 409, "not held"},
		{"UNLOCK", "", a, 409, "not locked"},
		{"LOCK", "", "", 400, "read lock"},
		{"LOCK", "", a, 200, ""},
		{"LOCK", "", a, 200, ""},
		{"LOCK", "", b, 423, `"ada"`},
		{"POST", "", state, 423, `"ada"`},
		{"POST", "?ID=b", state, 423, `"ada"`},
		{"POST", "?ID=a", "garbage", 400, "read state"},
		{"POST", "?ID=a", state, 200, ""},
		{"DELETE", "", "", 423, `"ada"`},
		{"UNLOCK", "", b, 409, `"ada"`},
		{"UNLOCK", "", a, 200, ""},
		{"DELETE", "", "", 200, ""},
		{"GET", "", "", 404, "no state"},
		{"PATCH", "", "", 405, ""},
	} {
		status, text := ask(t.Context(), c.method, s.URL+"/x"+c.query, c.body)
		if status != c.status || !strings.Contains(text, c.says) {
			t.Errorf("request %d, %s %s: %d %q, want %d %q", i, c.method, c.query, status, text, c.status, c.says)
		}
	}
	if n := len(s.History("/x")); n != 3 {
		t.Errorf("%d entries in the history, want two writes and a removal", n)
	}
}

func TestTheMiddleOneFails(t *testing.T) {
	s := newServer(t)
	s.Inject(httpstate.Fault{Method: "POST", Path: "/x", First: 2, Count: 1, How: httpstate.Cut})
	s.Inject(httpstate.Fault{Instances: 2, Status: 502, Done: true})
	var got []int
	for _, body := range []string{`{"serial":1}`, `{"serial":2}`, `{"serial":3}`, `{"serial":4,"resources":[{"instances":[{}]},{"instances":[{}]}]}`} {
		status, _ := ask(t.Context(), "POST", s.URL+"/x", body)
		got = append(got, status)
		ask(t.Context(), "POST", s.URL+"/y", body[:len(body)-1]+`,"lineage":"y"}`)
	}
	if want := []int{200, 0, 200, 502}; !slices.Equal(got, want) {
		t.Errorf("answers %v, want %v", got, want)
	}
	var serials []int
	for _, state := range s.History("/x") {
		serials = append(serials, int(state.Serial))
	}
	if want := []int{1, 3, 4}; !slices.Equal(serials, want) {
		t.Errorf("stored serials %v, want %v: the last took effect, its answer was lost", serials, want)
	}
}

// hanging posts a state and returns once the request has arrived.
func hanging(ctx context.Context, h *httpstate.Handler, url string) (answer <-chan int) {
	arrived := make(chan struct{}, 1)
	h.OnArrival(func(httpstate.Request) { arrived <- struct{}{} })
	got := make(chan int, 1)
	go func() {
		status, _ := ask(ctx, "POST", url+"/x", `{"serial":1}`)
		got <- status
	}()
	<-arrived
	return got
}

func TestWhoLeavesWhileItHangsHasChangedNothing(t *testing.T) {
	h := httpstate.NewHandler()
	h.Inject(httpstate.Fault{Method: "POST", How: httpstate.Hang})
	ended := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	ctx, leave := context.WithCancel(t.Context())
	answer := hanging(ctx, h, s.URL)
	leave()
	if status := <-answer; status != 0 {
		t.Errorf("who left was answered %d", status)
	}
	<-ended // a server learns only in its own time that somebody left: what is released before goes on
	h.Heal()
	if n := len(h.History("/x")); n != 0 {
		t.Errorf("%d writes by who left", n)
	}
}

func TestHangUntilReleased(t *testing.T) {
	s := newServer(t)
	s.Inject(httpstate.Fault{Method: "POST", How: httpstate.Hang})
	answer := hanging(t.Context(), s.Handler, s.URL)
	select {
	case status := <-answer:
		t.Fatalf("answered %d while it should hang", status)
	default:
	}
	// The hook runs before the request begins to wait, so that one release may come too early for it.
	for status := 0; status == 0; {
		s.Release()
		select {
		case status = <-answer:
			if status != 200 {
				t.Errorf("released with %d", status)
			}
		case <-time.After(time.Millisecond):
		}
	}
	if n := len(s.History("/x")); n != 1 {
		t.Errorf("%d writes, want the released one", n)
	}
	last := hanging(t.Context(), s.Handler, s.URL)
	s.Close()
	if status := <-last; status != 0 {
		t.Errorf("answered %d by a server that was closed", status)
	}
}

func TestACommandOfItsOwn(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "httpstate")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./cmd").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), bin, "-stdin", "-fault", `{"Method":"POST","Count":1,"Status":503}`)
	leash, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := strings.TrimSpace(line)
	for i, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/x", `{"serial":1}`, 503, ""},
		{"POST", "/x", `{"serial":1}`, 200, ""},
		{"GET", "/_faults", "", 200, `"Seen": 2`},
		{"POST", "/_faults", `{"Methud":"LOCK"}`, 400, "Methud"},
		{"POST", "/_faults", `{"How":"slowly"}`, 400, "slowly"},
		{"POST", "/_faults", `{"Method":"LOCK","How":"cut"}`, 200, ""},
		{"LOCK", "/x", `{"ID":"a"}`, 0, ""},
		{"DELETE", "/_faults", "", 200, ""},
		{"GET", "/_faults", "", 200, "null"},
		{"PUT", "/_locks/x", `{"ID":"f","Who":"eve"}`, 200, ""},
		{"LOCK", "/x", `{"ID":"a"}`, 423, `"eve"`},
		{"GET", "/_locks/x", "", 200, `"eve"`},
		{"DELETE", "/_locks/x", "", 200, ""},
		{"GET", "/_locks/x", "", 404, "not locked"},
		{"PUT", "/_states/x", `{"serial":9}`, 200, ""},
		{"GET", "/_states/x", "", 200, `{"serial":9}`},
		{"DELETE", "/_states/x", "", 200, ""},
		{"GET", "/x", "", 404, ""},
		{"POST", "/_release", "", 200, ""},
		{"GET", "/_nothing", "", 404, "nothing answers"},
	} {
		status, text := ask(t.Context(), c.method, url+c.path, c.body)
		if status != c.status || !strings.Contains(text, c.says) {
			t.Errorf("request %d, %s %s: %d %q, want %d %q", i, c.method, c.path, status, text, c.status, c.says)
		}
	}
	_, text := ask(t.Context(), "GET", url+"/_requests", "")
	var seen []httpstate.Request
	if err := json.Unmarshal([]byte(text), &seen); err != nil || len(seen) != 5 {
		t.Errorf("requests: %v\n%s, want the five about a state", err, text)
	}
	if err := leash.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
}
