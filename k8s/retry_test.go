package k8s

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

func TestCase28TemporaryRefusalsAreWaitedOut(t *testing.T) {
	for name, fault := range map[string]func() (*http.Response, error){
		"429":              func() (*http.Response, error) { return failure(429, "TooManyRequests", "slow down"), nil },
		"503":              func() (*http.Response, error) { return failure(503, "ServiceUnavailable", "starting"), nil },
		"500 of a webhook": func() (*http.Response, error) { return failure(500, "InternalError", "failed calling webhook"), nil },
		"a quota": func() (*http.Response, error) {
			return failure(403, "Forbidden", "exceeded quota: q, requested: pods=1"), nil
		},
		"409 of a race":     func() (*http.Response, error) { return failure(409, "Conflict", "the object has been modified"), nil },
		"reset connection":  func() (*http.Response, error) { return nil, syscall.ECONNRESET },
		"refused by a host": func() (*http.Response, error) { return nil, syscall.ECONNREFUSED },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			var n atomic.Int32
			r.fault = func(req *http.Request) (*http.Response, error) {
				if req.Method == http.MethodPatch && n.Add(1) <= 2 {
					return fault()
				}
				return nil, nil
			}
			if result := r.mustApply(configMap("a", "k: v")); result.Created != 1 || n.Load() < 3 {
				t.Errorf("%s after %d tries", summary(result), n.Load())
			}
		})
	}
}

func TestLastingRefusalIsSaidAsWhatItIs(t *testing.T) {
	r := newRig(t)
	r.fault = func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPatch && strings.HasSuffix(req.URL.Path, "/a") {
			return failure(500, "InternalError", `failed calling webhook "x.example.com": connection refused`), nil
		}
		return nil, nil
	}
	_, err := r.apply(configMap("a", "k: v") + configMap("b", "k: v"))
	var refused *RefusedError
	if !errors.As(err, &refused) || !refused.Temporary || !strings.Contains(err.Error(), `refused for now (InternalError): failed calling webhook "x.example.com"`) {
		t.Errorf("error = %v", err)
	}
}

// A cluster that goes away in mid-apply leaves an inventory of everything that may have been made; the next run
// converges.
func TestClusterGoesAwayAndComesBack(t *testing.T) {
	r := newRig(t)
	var away atomic.Bool
	r.fault = func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPatch && req.URL.Query().Get("dryRun") == "" && strings.HasSuffix(req.URL.Path, "/web") {
			away.Store(true)
		}
		if away.Load() {
			return nil, syscall.ECONNREFUSED
		}
		return nil, nil
	}
	manifests := configMap("a", "k: v") + deployment("web", "")
	result, err := r.apply(manifests)
	if !errors.Is(err, ErrUnreachable) || result.Created != 1 || result.Failed != 1 || len(r.inv.Items) != 2 {
		t.Errorf("error = %v\n%s", err, summary(result))
	}
	away.Store(false)
	r.fault = nil
	if result := r.mustApply(manifests); result.Created != 1 || result.Unchanged != 1 {
		t.Errorf("%s", summary(result))
	}
}

// A watch that is lost, or whose version is too old, goes on from a fresh list.
func TestCase27WatchLostAndVersionExpired(t *testing.T) {
	r := newRig(t)
	var lost atomic.Int32
	r.fault = func(req *http.Request) (*http.Response, error) {
		if req.URL.Query().Get("watch") == "" {
			return nil, nil
		}
		switch lost.Add(1) {
		case 1:
			return nil, syscall.ECONNRESET
		case 2:
			return failure(410, "Expired", "too old resource version"), nil
		}
		return nil, nil
	}
	slow := strings.Replace(deployment("web", ""), "labels: {app: web}", "annotations: {e2e.mooring.dev/after: 2s}, labels: {app: web, e2e.mooring.dev/pod: slow}", 1)
	if result := r.mustApply(slow); result.Objects[0].Health != HealthCurrent || lost.Load() < 3 {
		t.Errorf("%s after %d watches", summary(result), lost.Load())
	}
}
