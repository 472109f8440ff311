package notify

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// manager is Alertmanager as far as Mooring uses it: it refuses what the real one does,
// and says what fires at a time.
type manager struct {
	*httptest.Server
	mu     sync.Mutex
	alerts map[string]alert // by their labels
	posts  int
	came   chan struct{}
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{alerts: map[string]alert{}, came: make(chan struct{}, 1)}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer nudge(m.came)
		var all []alert
		if err := json.NewDecoder(r.Body).Decode(&all); err != nil || r.URL.Path != "/am/api/v2/alerts" || r.Header.Get("Authorization") != "Bearer sesame" {
			t.Errorf("%s %v: %v", r.URL.Path, r.Header, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.posts++
		for _, a := range all {
			if a.Labels["alertname"] == "" || a.StartsAt.IsZero() || a.EndsAt.Before(a.StartsAt) {
				t.Errorf("an alert that is refused: %+v", a)
			}
			for name, v := range a.Labels {
				if v == "" {
					t.Errorf("the label %s is empty", name)
				}
			}
			labels, err := json.Marshal(a.Labels)
			if err != nil {
				t.Error(err)
			}
			m.alerts[string(labels)] = a
		}
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *manager) firing(at time.Time) []alert {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []alert
	for _, a := range m.alerts {
		if a.EndsAt.After(at) {
			all = append(all, a)
		}
	}
	return all
}

func TestAnAlertFiresUntilItIsResolved(t *testing.T) {
	m, c := newManager(t), newClock()
	db := fresh(t)
	conf := Config{Channels: []Channel{{Name: "am", Alertmanager: &Alertmanager{URL: m.URL + "/am/", Token: "sesame"}}}}
	n := notifier(t, db, c, conf)
	stop := running(t, n)
	put(t, n, message("new"))
	eventually(t, "it fires", m.came, func() bool { return waiting(t, n) == 0 })
	got := m.firing(c.Now())
	if len(got) != 1 {
		t.Fatalf("firing: %+v", got)
	}
	for name, want := range map[string]string{"alertname": "MooringDrift", "repository": "infra", "unit": "infra/app", "severity": "warning", "group": "drift/infra/app"} {
		if got[0].Labels[name] != want {
			t.Errorf("label %s is %q, want %q", name, got[0].Labels[name], want)
		}
	}
	if got[0].Annotations["summary"] != "Drift in infra/app" || !got[0].StartsAt.Equal(noon) || got[0].GeneratorURL == "" {
		t.Errorf("alert: %+v", got[0])
	}

	for range 24 { // two hours, over a restart: it is sent again before it ends
		before := m.count()
		eventually(t, "the next time is set", c.changed, func() bool { return c.sets(alertEvery) })
		c.advance(alertEvery)
		eventually(t, "it is sent again", m.came, func() bool { return m.count() > before })
		if len(m.firing(c.Now())) != 1 {
			t.Fatalf("it has ended at %s", c.Now())
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	n = notifier(t, db, c, conf)
	stop = running(t, n)
	worse := message("changed")
	worse.State, worse.Severity = "changed", Critical
	put(t, n, worse)
	eventually(t, "it is worse", m.came, func() bool { return waiting(t, n) == 0 })
	c.advance(time.Second)
	if got := m.firing(c.Now()); len(got) != 1 || got[0].Labels["severity"] != "critical" {
		t.Errorf("firing: %+v", got)
	}
	over := message("resolved")
	over.State, over.Severity = "resolved", Warning // another severity ends it all the same
	put(t, n, over)
	eventually(t, "it is over", m.came, func() bool { return waiting(t, n) == 0 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := m.firing(c.Now()); len(got) != 0 {
		t.Errorf("still firing: %+v", got)
	}
	if known, err := (fires{db, "am"}).fires(); err != nil || len(known) != 0 {
		t.Errorf("remembered: %v, %v", known, err)
	}
}

func (m *manager) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.posts
}

func TestAlertmanagerTakesNoDigest(t *testing.T) {
	err := Check(Channel{Name: "am", Alertmanager: &Alertmanager{URL: "http://127.0.0.1:9093"}, Digest: time.Hour})
	if err == nil {
		t.Error("a digest is taken")
	}
}
