package serverconfig

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const beatURL = "https://beats.example.com/ping/0e3c-canary?key=canary-key"

func TestAHeartbeatIsReadAndItsAddressIsASecret(t *testing.T) {
	env := vars(map[string]string{"HEARTBEAT_URL": beatURL + "\n"})
	src := "data_dir = \"d\"\nheartbeat_url = env(\"HEARTBEAT_URL\")\n"
	for text, want := range map[string]time.Duration{src: time.Minute, src + "heartbeat_every = \"5m\"\n": 5 * time.Minute} {
		got, files, diags := Parse("server.hcl", []byte(text), env)
		if len(diags) > 0 {
			t.Fatal(printed(t, files, diags))
		}
		if got.Heartbeat != (Heartbeat{URL: beatURL, Every: want}) {
			t.Errorf("%+v", got.Heartbeat)
		}
		if secrets := got.Heartbeat.Secrets(); !slices.Equal(secrets, []string{beatURL, "ping/0e3c-canary", "key=canary-key"}) {
			t.Errorf("secrets: %q", secrets)
		}
	}
	if got, _, _ := Parse("server.hcl", []byte("data_dir = \"d\"\n"), env); got.Heartbeat != (Heartbeat{}) || got.Heartbeat.Secrets() != nil {
		t.Errorf("without one: %+v", got.Heartbeat)
	}
	if masked := string(Mask([]byte("heartbeat_url = \"" + beatURL + "\"\nheartbeat_every = \"5m\"\n"))); strings.Contains(masked, "canary") || !strings.Contains(masked, `"5m"`) {
		t.Errorf("masked as %s", masked)
	}
}

func TestHeartbeatMistakes(t *testing.T) {
	env := vars(map[string]string{"CANARY": "canary", "FTP": "ftp://canary/x", "GOOD": "https://h/x"})
	checkMistakes(t, env, []mistake{
		{"written out", `heartbeat_url = "https://h/canary"`, []string{"2: Secret in the file"}, `env("NAME")`},
		{"no address", `heartbeat_url = env("CANARY")`, []string{"2: Not a URL"}, ""},
		{"another scheme", `heartbeat_url = env("FTP")`, []string{"2: Not a URL"}, "https"},
		{"not set", `heartbeat_url = env("NOT_SET")`, []string{"2: Environment variable is not set"}, "$NOT_SET"},
		{"too often", "heartbeat_url = env(\"GOOD\")\nheartbeat_every = \"1s\"", []string{"3: Too short"}, "30s"},
		{"no heartbeat", `heartbeat_every = "1m"`, []string{"2: No heartbeat"}, "heartbeat_url"},
	})
}
