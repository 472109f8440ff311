package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/notify"
	"github.com/mooring-iac/mooring/runner/drift"
)

// troubleBucket holds what is wrong with Mooring's own work, as people were told: key → trouble. So its end is told too,
// by whichever Mooring sees it.
var troubleBucket = []byte("troubles")

// trouble is something that Mooring cannot do.
type trouble struct {
	Repository string    `json:"repository"`
	What       string    `json:"what"` // one line
	Why        string    `json:"why"`
	Since      time.Time `json:"since"`
}

// watchEvery is how often Mooring looks at itself.
const watchEvery = 30 * time.Second

// watchItself tells people when a repository cannot be polled or its units are not scanned, and the heartbeat's address
// that all is well, until ctx ends.
func (r *Runner) watchItself(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var beat time.Time
	for {
		if err := r.lookAtItself(ctx); err != nil && ctx.Err() == nil {
			r.opts.Log.Error("what is wrong with Mooring cannot be told", "error", err)
		}
		if now := r.opts.Now(); r.opts.Heartbeat.URL != "" && !now.Before(beat.Add(r.opts.Heartbeat.Every)) {
			beat = now
			if err := r.beat(ctx); err != nil && ctx.Err() == nil {
				r.opts.Log.Warn("no heartbeat was sent", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lookAtItself compares what is wrong now with what people were told, in one transaction with what they are told next.
func (r *Runner) lookAtItself(ctx context.Context) error {
	now := r.opts.Now()
	found, open := map[string]trouble{}, map[string]bool{}
	for _, repo := range r.repos {
		repo.mu.Lock()
		polled, err := repo.polled, repo.trouble
		repo.mu.Unlock()
		if err != nil && now.Sub(polled) > r.latePoll(repo) && now.Sub(r.began) > r.latePoll(repo) {
			found["poll/"+repo.cfg.Name] = trouble{Repository: repo.cfg.Name, What: "cannot be polled", Why: err.Error(), Since: polled}
		}
		// What people were told before a restart is over when the remote has answered since, not before.
		open["poll/"+repo.cfg.Name] = polled.IsZero() || err != nil
		if err := repo.remedies.refusal(); err != nil {
			found["remedies/"+repo.cfg.Name] = trouble{Repository: repo.cfg.Name, What: "the forge does not allow what drift asks for", Why: err.Error(), Since: now}
		}
		late, why, err := r.lateScans(ctx, repo, now)
		if err != nil {
			found["scans/"+repo.cfg.Name] = trouble{Repository: repo.cfg.Name, What: "its drift scans cannot be planned", Why: err.Error(), Since: now}
			continue
		}
		r.counters.drift.late.WithLabelValues(repo.cfg.Name).Set(float64(late))
		if late > 0 {
			what := count(late, "unit") + " not scanned for drift for too long"
			found["scans/"+repo.cfg.Name] = trouble{Repository: repo.cfg.Name, What: what, Why: why, Since: now}
		}
	}
	if r.notify == nil {
		return nil
	}
	return r.journal.update(func(tx *bbolt.Tx) error { return r.tellTroubles(tx, found, open, now) })
}

// tellTroubles tells of what is new, and of what is over; not of the end of what is open still.
func (r *Runner) tellTroubles(tx *bbolt.Tx, found map[string]trouble, open map[string]bool, now time.Time) error {
	bucket := tx.Bucket(troubleBucket)
	over := map[string]trouble{}
	err := bucket.ForEach(func(k, v []byte) error {
		var t trouble
		if err := json.Unmarshal(v, &t); err != nil {
			return fmt.Errorf("read what is wrong: %w", err)
		}
		if _, still := found[string(k)]; still {
			delete(found, string(k))
		} else if !open[string(k)] {
			over[string(k)] = t
		}
		return nil
	})
	for key, t := range found {
		t.Since = now
		err = errors.Join(err, r.notify.Put(tx, t.message(key, "firing", now)), putJSON(bucket, []byte(key), t))
	}
	for key, t := range over {
		err = errors.Join(err, r.notify.Put(tx, t.message(key, "resolved", now)), bucket.Delete([]byte(key)))
	}
	return err
}

func (t trouble) message(key, state string, now time.Time) notify.Message {
	m := notify.Message{
		Key: fmt.Sprintf("operator/%s/%d/%s", key, t.Since.UnixNano(), state), Event: notify.Operator, State: state, Severity: notify.Critical,
		Repository: t.Repository, Title: fmt.Sprintf("Mooring: repository %s: %s", t.Repository, t.What), Lines: firstLines(t.Why), At: now, Group: "operator/" + key,
	}
	if state == "resolved" {
		m.Title, m.Lines = fmt.Sprintf("Mooring: repository %s is well again (it was: %s)", t.Repository, t.What), nil
	}
	return m
}

// latePoll is how long a repository may go without an answer before that is news.
func (r *Runner) latePoll(repo *repository) time.Duration { return 3*repo.cfg.Poll + 5*time.Minute }

// lateScans counts the units of a repository that were not scanned though they were due long ago; why names some.
func (r *Runner) lateScans(ctx context.Context, repo *repository, now time.Time) (n int, why string, err error) {
	graph, scans, err := r.scanned(ctx, repo)
	if err != nil || graph == nil {
		return 0, "", err
	}
	for _, u := range graph.Units {
		m, schedule := scans[u.ID], scheduleOf(u, repo.cfg.Drift)
		since := m.Last
		if since.IsZero() {
			since = m.Known
		}
		if since.IsZero() {
			continue
		}
		// Counted from the last scan that came to its end, whatever was tried since.
		late := schedule.Late(drift.Key{Repository: repo.cfg.Name, Unit: u.ID}.String(), since, now)
		if late <= r.opts.Drift.Stale {
			continue
		}
		if n++; n <= mostLines {
			why += fmt.Sprintf("%s was due %s", u.ID, now.Add(-late).UTC().Format(time.RFC3339))
			if m.Error != "" {
				why += ": " + firstLines(m.Error)[0]
			}
			why += "\n"
		}
	}
	return n, why, nil
}

// HeartbeatOptions name an address that is told, again and again, that Mooring works: who hears nothing for a while knows
// that it does not.
type HeartbeatOptions struct {
	URL   string        // https, or http; "" is none. It may hold a secret and is never logged
	Every time.Duration // 0 is a minute
}

var heartbeats = &http.Client{Timeout: 20 * time.Second}

// beat sends the heartbeat, unless something stands still.
func (r *Runner) beat(ctx context.Context) error {
	if err := r.Healthy(); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.opts.Heartbeat.URL, bytes.NewReader(nil))
	if err != nil {
		return errors.New("heartbeat_url cannot be asked: it is no address") // the error would repeat it
	}
	req.Header.Set("User-Agent", "mooring/"+r.opts.Version)
	resp, err := heartbeats.Do(req)
	if err != nil {
		return errors.New("heartbeat_url does not answer: " + withoutURL(err))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection can be used again
	if resp.StatusCode >= 300 {
		return fmt.Errorf("heartbeat_url answers %s", resp.Status)
	}
	r.counters.drift.beat.Set(float64(r.opts.Now().UnixMilli()) / 1000)
	return nil
}

// withoutURL is a network error in words that do not repeat the address.
func withoutURL(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return "it failed"
}

// Alive says whether the loops turn: no repository's and not the schedule's has stood still. A pass under way counts as
// turning, however long its applies take.
func (r *Runner) Alive() error {
	now := r.opts.Now()
	for _, repo := range r.repos {
		turned := time.Unix(0, repo.turned.Load())
		if repo.turned.Load() == 0 || now.Sub(turned) <= 2*lastPause+repo.cfg.Poll {
			continue
		}
		if !repo.pass.TryLock() {
			continue // it works
		}
		repo.pass.Unlock()
		return fmt.Errorf("the loop of repository %s stands still since %s", repo.cfg.Name, turned.UTC().Format(time.RFC3339))
	}
	if turned := r.scanTurn.Load(); turned != 0 && now.Sub(time.Unix(0, turned)) > 10*longestNap {
		return fmt.Errorf("the schedule of drift scans stands still since %s", time.Unix(0, turned).UTC().Format(time.RFC3339))
	}
	return nil
}
