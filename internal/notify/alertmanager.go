package notify

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"
)

// Alertmanager forgets an alert at its end, which each request moves on: what fires is
// sent again every alertEvery, and ends by itself alertFor after nobody has done so.
const (
	alertEvery = 5 * time.Minute
	alertFor   = 30 * time.Minute
	// eventFor is how long an alert lasts of what only happened, and does not go on.
	eventFor = time.Hour
)

// alert is one of the API's: the same labels are the same alert.
type alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// firing remembers what fires, by group, across restarts.
type firing interface {
	fires() (map[string]alert, error)
	note(fires map[string]alert, ended []string) error
}

type alertmanager struct {
	poster
	url string
	now func() time.Time

	mu     sync.Mutex // one request at a time: a repetition must not overtake the end
	firing firing     // nil: nothing is remembered
}

func newAlertmanager(c Alertmanager, agent string) (*alertmanager, error) {
	if err := httpAddress(c.URL); err != nil {
		return nil, err
	}
	p, err := newPoster(c.CABundle, agent)
	if err != nil {
		return nil, err
	}
	switch {
	case c.Token != "":
		p.headers.Set("Authorization", "Bearer "+c.Token)
	case c.Username != "":
		p.headers.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password)))
	}
	return &alertmanager{poster: p, url: strings.TrimRight(c.URL, "/") + "/api/v2/alerts", now: time.Now}, nil
}

// send posts what a message changes. To send it again is harmless: alerts are told
// apart by their labels.
func (a *alertmanager) send(ctx context.Context, l letter) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	known, err := a.known()
	if err != nil {
		return err
	}
	var alerts []alert
	fires := map[string]alert{}
	var ended []string
	for _, m := range l.messages {
		made := a.alert(m, l)
		was, fired := known[m.Group]
		switch {
		case m.State == "resolved":
			if fired { // its labels are those that fire
				made.Labels, made.StartsAt = was.Labels, was.StartsAt
			}
			made.EndsAt = a.now()
			if made.StartsAt.After(made.EndsAt) {
				made.StartsAt = made.EndsAt
			}
			ended = append(ended, m.Group)
		case m.State != "": // it goes on
			if fired && !maps.Equal(was.Labels, made.Labels) { // another severity is another alert
				was.EndsAt = a.now()
				alerts = append(alerts, was)
			} else if fired {
				made.StartsAt = was.StartsAt
			}
			fires[m.Group] = made
		default:
			made.EndsAt = a.now().Add(eventFor)
		}
		alerts = append(alerts, made)
	}
	if err := a.put(ctx, alerts); err != nil {
		return err
	}
	if a.firing == nil {
		return nil
	}
	return a.firing.note(fires, ended)
}

// again sends everything that fires, so that it does not end; false where nothing does.
func (a *alertmanager) again(ctx context.Context) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known, err := a.known()
	if err != nil || len(known) == 0 {
		return false, err
	}
	var alerts []alert
	for _, was := range known {
		was.EndsAt = a.now().Add(alertFor)
		alerts = append(alerts, was)
	}
	return true, a.put(ctx, alerts)
}

func (a *alertmanager) known() (map[string]alert, error) {
	if a.firing == nil {
		return nil, nil
	}
	return a.firing.fires()
}

func (a *alertmanager) put(ctx context.Context, alerts []alert) error {
	body, err := json.Marshal(alerts)
	if err != nil {
		return &refusedError{fmt.Errorf("write alerts: %w", err)}
	}
	return a.post(ctx, a.url, body, nil)
}

// alert is a message's, that fires from now on.
func (a *alertmanager) alert(m Message, l letter) alert {
	made := alert{
		Labels: map[string]string{
			"alertname": "Mooring" + strings.ToUpper(string(m.Event[:min(1, len(m.Event))])) + string(m.Event[min(1, len(m.Event)):]),
			"severity":  m.Severity.String(),
			"group":     m.Group,
		},
		Annotations:  map[string]string{"summary": l.title, "description": l.body},
		StartsAt:     m.At,
		EndsAt:       a.now().Add(alertFor),
		GeneratorURL: m.URL,
	}
	for name, value := range map[string]string{"repository": m.Repository, "unit": m.Unit} {
		if value != "" { // Alertmanager takes an empty label for none
			made.Labels[name] = value
		}
	}
	return made
}
