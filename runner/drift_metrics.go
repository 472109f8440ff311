package runner

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"
)

// driftCounters are what the server tells Prometheus of its scans and of itself.
type driftCounters struct {
	scans *prometheus.CounterVec
	late  *prometheus.GaugeVec
	beat  prometheus.Gauge
}

func newDriftCounters(repos []RepositoryConfig) driftCounters {
	c := driftCounters{
		scans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mooring_drift_scans_total", Help: "Units that were looked at for drift, by result: clean, drift, failed, skipped.",
		}, []string{"result"}),
		late: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mooring_drift_scan_late", Help: "Units that have not been scanned for drift for too long.",
		}, []string{"repository"}),
		beat: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mooring_heartbeat_last_timestamp_seconds", Help: "When heartbeat_url last took a heartbeat; 0 is never.",
		}),
	}
	for _, result := range []string{"clean", "drift", "failed", "skipped"} {
		c.scans.WithLabelValues(result) // so that a rate has a beginning
	}
	for _, repo := range repos {
		c.late.WithLabelValues(repo.Name)
	}
	return c
}

// scanned counts one look at one unit.
func (c driftCounters) scanned(l *looked) {
	result := "skipped"
	switch {
	case l.Status == Failed:
		result = "failed"
	case len(l.Drift) > 0:
		result = "drift"
	case l.whole:
		result = "clean"
	}
	c.scans.WithLabelValues(result).Inc()
}

var (
	driftsDesc = prometheus.NewDesc("mooring_drifts", "Drifts that are open, by class and severity.", []string{"repository", "class", "severity"}, nil)
	oldestDesc = prometheus.NewDesc("mooring_drift_oldest_seconds", "How long ago the oldest drift that is open was seen first; 0 where there is none.", []string{"repository"}, nil)
	queueDesc  = prometheus.NewDesc("mooring_notify_waiting", "Messages that wait for a channel.", []string{"channel"}, nil)
	deadDesc   = prometheus.NewDesc("mooring_notify_dead", "1 where a channel has failed for so long that others were told.", []string{"channel"}, nil)
)

// driftGauges read what the journal knows whenever they are asked.
type driftGauges struct{ r *Runner }

// Describe names the metrics.
func (g driftGauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{driftsDesc, oldestDesc, queueDesc, deadDesc} {
		to <- d
	}
}

// Collect reads the metrics. One that cannot be read makes the answer say so.
func (g driftGauges) Collect(to chan<- prometheus.Metric) {
	if err := g.drifts(to); err != nil {
		to <- prometheus.NewInvalidMetric(driftsDesc, err)
	}
	channels, err := g.r.Channels()
	if err != nil {
		to <- prometheus.NewInvalidMetric(queueDesc, err)
	}
	for _, c := range channels {
		dead := 0.0
		if c.Dead {
			dead = 1
		}
		to <- prometheus.MustNewConstMetric(queueDesc, prometheus.GaugeValue, float64(c.Waiting), c.Name)
		to <- prometheus.MustNewConstMetric(deadDesc, prometheus.GaugeValue, dead, c.Name)
	}
}

func (g driftGauges) drifts(to chan<- prometheus.Metric) error {
	now := g.r.opts.Now()
	for _, repo := range g.r.repos {
		name := repo.cfg.Name
		count, oldest := map[[2]string]int{}, time.Duration(0)
		err := g.r.journal.view(func(tx *bbolt.Tx) error {
			open, err := openDrifts(tx, name, "")
			for _, d := range open {
				count[[2]string{string(d.Class), string(d.Severity)}]++
				oldest = max(oldest, now.Sub(d.Began))
			}
			return err
		})
		if err != nil {
			return err
		}
		for of, n := range count {
			to <- prometheus.MustNewConstMetric(driftsDesc, prometheus.GaugeValue, float64(n), name, of[0], of[1])
		}
		to <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, oldest.Seconds(), name)
	}
	return nil
}
