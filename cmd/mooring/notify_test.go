package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
)

func TestNotifyTestSaysHowEachChannelFared(t *testing.T) {
	arrived := make(chan string, 10)
	good := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { arrived <- r.Header.Get("Webhook-Id") }))
	defer good.Close()
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer bad.Close()
	config := filepath.Join(t.TempDir(), "server.hcl")
	src := `data_dir = "data"
notify "good" {
  webhook {
    url    = "` + good.URL + `"
    secret = env("HOOK")
  }
  digest = "1h"
}
notify "bad" {
  webhook {
    url    = env("URL")
    secret = env("HOOK")
  }
}
`
	if err := os.WriteFile(config, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (code int, stdout, stderr string) {
		var out, err bytes.Buffer
		a := &app{stdout: &out, stderr: &err, now: time.Now, env: func(name string) (string, bool) {
			v, ok := map[string]string{"HOOK": "hush hush hush hush", "URL": bad.URL + "/hush-hush-hush"}[name]
			return v, ok
		}}
		code = a.run(context.Background(), append(args, "-c", config))
		return code, out.String(), err.String()
	}

	code, out, errs := run("notify", "test", "good")
	if code != 0 || !strings.Contains(out, "good     taken") || strings.Contains(out, "bad") {
		t.Errorf("exit %d:\n%s%s", code, out, errs)
	}
	if len(arrived) != 1 {
		t.Errorf("%d messages arrived, want one at once", len(arrived))
	}
	code, out, errs = run("notify", "test", "-o", "json")
	var got []report.Notified
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if code != 1 || len(got) != 2 || !got[0].OK || got[1].OK || !strings.Contains(got[1].Error, "403") {
		t.Errorf("exit %d: %+v%s", code, got, errs)
	}
	code, out, errs = run("notify", "test", "goood")
	if code != 1 || !strings.Contains(errs, "there are good, bad") {
		t.Errorf("exit %d:\n%s%s", code, out, errs)
	}
	for _, args := range [][]string{{"notify", "test"}, {"notify", "test", "-o", "json"}} {
		if _, out, errs := run(args...); strings.Contains(out+errs, "hush") {
			t.Errorf("a secret is shown:\n%s%s", out, errs)
		}
	}
}
