package runner

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/locks"
)

// counters are what the server tells Prometheus.
type counters struct {
	runs    *prometheus.CounterVec
	units   *prometheus.CounterVec
	took    *prometheus.HistogramVec
	scan    *prometheus.GaugeVec
	waiting prometheus.GaugeFunc
	held    prometheus.GaugeFunc
	drift   driftCounters
}

func newCounters(r *Runner) *counters {
	c := &counters{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mooring_runs_total", Help: "Runs that ended, by repository and status.",
		}, []string{"repository", "status"}),
		units: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mooring_units_total", Help: "Units that ended in a run, by kind and status.",
		}, []string{"kind", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mooring_unit_seconds", Help: "How long units took, by kind.", Buckets: prometheus.ExponentialBuckets(0.1, 3, 9),
		}, []string{"kind"}),
		drift: newDriftCounters(r.opts.Repositories),
	}
	c.scan = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "mooring_discovery_seconds", Help: "How long it took to read the units and edges of the last commit.",
	}, []string{"repository"})
	c.waiting = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mooring_runs_waiting", Help: "Runs in which something waits for a person.",
	}, func() float64 {
		runs, err := r.Runs(RunsQuery{Waiting: true, Limit: 10_000})
		if err != nil {
			return -1
		}
		return float64(len(runs))
	})
	c.held = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mooring_locks", Help: "Locks that are held now.",
	}, func() float64 {
		n := -1
		_ = r.journal.view(func(tx *bbolt.Tx) error { // -1 says that it could not be read
			all, err := locks.List(tx)
			if err == nil {
				n = len(all)
			}
			return err
		})
		return float64(n)
	})
	return c
}

// Collectors are the server's metrics, for a registry of the caller's.
func (r *Runner) Collectors() []prometheus.Collector {
	all := []prometheus.Collector{r.counters.runs, r.counters.units, r.counters.took, r.counters.scan, r.counters.waiting, r.counters.held,
		r.counters.drift.scans, r.counters.drift.late, driftGauges{r}}
	if r.opts.Heartbeat.URL != "" {
		all = append(all, r.counters.drift.beat)
	}
	for _, repo := range r.repos {
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "mooring_last_poll_timestamp_seconds", Help: "When the remote last answered.",
			ConstLabels: prometheus.Labels{"repository": repo.cfg.Name},
		}, func() float64 {
			repo.mu.Lock()
			defer repo.mu.Unlock()
			if repo.polled.IsZero() {
				return 0
			}
			return float64(repo.polled.UnixMilli()) / 1000
		}))
	}
	return all
}

func (c *counters) run(run *Run) {
	c.runs.WithLabelValues(run.Repository, string(run.Status)).Inc()
}

func (c *counters) unit(u *UnitResult) {
	c.units.WithLabelValues(string(u.Kind), string(u.Status)).Inc()
	c.took.WithLabelValues(string(u.Kind)).Observe(u.Seconds)
}

// Healthy says whether the server can do its work at all: its database answers, and its loops turn. A server that is not
// should be started anew.
func (r *Runner) Healthy() error {
	if err := r.Alive(); err != nil {
		return err
	}
	return r.journal.view(func(tx *bbolt.Tx) error {
		if tx.Bucket(metaBucket) == nil {
			return ErrNotOurs
		}
		return nil
	})
}

// Ready says whether every repository has been reached lately.
func (r *Runner) Ready() error {
	for _, repo := range r.repos {
		repo.mu.Lock()
		polled, trouble := repo.polled, repo.trouble
		repo.mu.Unlock()
		late := 3*repo.cfg.Poll + time.Minute
		switch {
		case polled.IsZero() && trouble != nil:
			return fmt.Errorf("repository %s was never reached: %w", repo.cfg.Name, trouble)
		case polled.IsZero():
			return fmt.Errorf("repository %s has not been polled yet", repo.cfg.Name)
		case trouble != nil && r.opts.Now().Sub(polled) > late:
			return fmt.Errorf("repository %s was last reached %s: %w", repo.cfg.Name, polled.Format(time.RFC3339), trouble)
		}
	}
	return nil
}
