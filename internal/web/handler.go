package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options says what is answered. A check that is missing fails, and what else is
// missing is not there.
type Options struct {
	Healthy    func() error // why the process should be started anew; nil when it need not be
	Ready      func() error // why it does not do its work now; nil when it does
	Collectors []prometheus.Collector
	Version    string
	Hook       Hook             // nil takes no webhooks
	Pages      Pages            // nil shows no runs
	Password   string           // of the pages; without one they are not shown
	Failed     func(error)      // is told why a page could not be shown; nil is not
	Now        func() time.Time // nil is time.Now
}

// Handler answers /healthz and /readyz with 200 or, with the reason, 503, and
// /metrics in Prometheus' format; it takes webhooks at /hooks and shows pages at
// /runs. The metrics are those of the options, of the Go runtime and of the
// process; the registry is the handler's own.
func Handler(o Options) (http.Handler, error) {
	reg := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "mooring_build_info", Help: "Always 1; the label is the version that runs.", ConstLabels: prometheus.Labels{"version": strings.ToValidUTF8(o.Version, "?")},
	})
	build.Set(1)
	all := append([]prometheus.Collector{build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})}, o.Collectors...)
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register a metric: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", check(o.Healthy))
	mux.HandleFunc("GET /readyz", check(o.Ready))
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.Handle("POST /hooks/{repository}", hooks(o.Hook))
	addPages(mux, o)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		// A reader that has left needs no answer.
		_, _ = fmt.Fprintf(w, "Mooring %s\n\n/healthz\n/readyz\n/metrics\n/runs\n", o.Version)
	})
	return plain(mux), nil
}

func check(f func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if f == nil {
			http.Error(w, "no check is set", http.StatusServiceUnavailable)
			return
		}
		if err := f(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "ok") // a reader that has left needs no answer
	}
}

// plain says that an answer is text and nothing else, whatever it holds.
func plain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}
