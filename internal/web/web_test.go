package web

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestAnswers(t *testing.T) {
	waiting := prometheus.NewGauge(prometheus.GaugeOpts{Name: "mooring_runs_waiting", Help: "x"})
	waiting.Set(3)
	h, err := Handler(Options{
		Healthy:    func() error { return nil },
		Ready:      func() error { return errors.New("repository infra: <b>unreachable</b>") },
		Collectors: []prometheus.Collector{waiting},
		Version:    "1.2.3",
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		method, path string
		status       int
		says         []string
	}{
		{"GET", "/healthz", 200, []string{"ok\n"}},
		{"HEAD", "/healthz", 200, nil},
		{"GET", "/readyz", 503, []string{"repository infra: <b>unreachable</b>"}},
		{"GET", "/metrics", 200, []string{"mooring_runs_waiting 3", `mooring_build_info{version="1.2.3"} 1`, "go_goroutines", "process_open_fds"}},
		{"GET", "/", 200, []string{"Mooring 1.2.3", "/metrics"}},
		{"GET", "/nope", 404, nil},
		{"POST", "/healthz", 405, nil},
		{"DELETE", "/metrics", 405, nil},
	}
	for _, tt := range tests {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.status {
			t.Errorf("%s %s: status %d, want %d", tt.method, tt.path, w.Code, tt.status)
		}
		for _, s := range tt.says {
			if !strings.Contains(w.Body.String(), s) {
				t.Errorf("%s %s: %q is missing in %s", tt.method, tt.path, s, w.Body)
			}
		}
		if ct := w.Header().Get("Content-Type"); !strings.HasPrefix(ct, "text/plain") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: content type %q may be taken for something else", tt.method, tt.path, ct)
		}
	}
}

func TestMissingChecksFail(t *testing.T) {
	h, err := Handler(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s without a check: status %d", path, w.Code)
		}
	}
}

func TestTwiceTheSameMetricIsAnError(t *testing.T) {
	c := prometheus.NewGauge(prometheus.GaugeOpts{Name: "twice", Help: "x"})
	if _, err := Handler(Options{Collectors: []prometheus.Collector{c, c}}); err == nil {
		t.Error("no error")
	}
}

func TestServeUntilTheEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h, err := Handler(Options{Healthy: func() error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, h) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "ok\n" {
		t.Errorf("healthz over the wire: %q, %v", body, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("somebody still listens")
	}
}
