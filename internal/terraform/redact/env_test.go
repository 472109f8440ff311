package redact

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestFromEnv(t *testing.T) {
	key, err := json.Marshal(map[string]any{
		"type": "service_account", "project_id": "my-project", "private_key": "-----BEGIN\nabc\n",
		"token_uri": "https://oauth2.googleapis.com/token", "universe_domain": "googleapis.com", "n": []any{"in-a-list"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, value string
		want        []string
	}{
		{"AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG", []string{"wJalrXUtnFEMI/K7MDENG"}},
		{"AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7", []string{"AKIAIOSFODNN7"}},
		{"SOMETHING", "unknown counts", []string{"unknown counts"}},
		{"AWS_REGION", "eu-central-1", nil},
		{"AWS_DEFAULT_REGION", "eu-central-1", nil},
		{"GOOGLE_CLOUD_PROJECT", "my-project", nil},
		{"AWS_ENDPOINT_URL_S3", "http://localhost:9000", nil},
		{"LC_ALL", "en_GB.UTF-8", nil},
		{"PATH", "/usr/local/bin:/bin", nil},
		{"SSL_CERT_FILE", "/etc/ssl/cert.pem", nil},
		{"AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token", nil},
		{"DEPLOY_FILE", "not-a-path", []string{"not-a-path"}},
		{"NO_PROXY", "localhost,.internal", nil},
		{"HTTPS_PROXY", "http://proxy.internal:3128", nil},
		{"HTTPS_PROXY", "http://me:pa%2Fss@proxy.internal:3128", []string{"pa%2Fss", "pa/ss"}},
		{"https_proxy", "me:proxy-pass@proxy.internal:3128", []string{"proxy-pass"}},
		{"DATABASE_URL", "postgres://me:hunter2@db/x?y=z", []string{"hunter2", "postgres://me:hunter2@db/x?y=z"}},
		{"SOURCE", "https://ghp_0123456789abcdef@github.com/a", []string{"ghp_0123456789abcdef", "https://ghp_0123456789abcdef@github.com/a"}},
		{"SWITCH", "disabled", nil},
		{"NUMBER", "1234567", nil},
		{"LONG_NUMBER", "12345678", []string{"12345678"}},
		{"SHORT", "abcde", nil},
		{"PGPASSWORD", "abcd", []string{"abcd"}},
		{"TF_VAR_db_password", "123456", []string{"123456"}},
		{"VAULT_TOKEN", "true", nil},
		{"EMPTY", "", nil},
		{"GOOGLE_CREDENTIALS", string(key), []string{"-----BEGIN\nabc\n", "in-a-list", string(key)}},
	} {
		if got := FromEnv(map[string]string{tc.name: tc.value}); !slices.Equal(got, tc.want) {
			t.Errorf("%s=%s: %q, want %q", tc.name, tc.value, got, tc.want)
		}
	}
	r := New(FromEnv(map[string]string{"GOOGLE_CREDENTIALS": string(key)})...)
	for _, text := range []string{`x "-----BEGIN\nabc" y`, "x \"-----BEGIN\nabc\" y"} {
		if got, want := r.Text(text), `x "(sensitive value)" y`; got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
	if got := r.Text("https://compute.googleapis.com/my-project"); got != "https://compute.googleapis.com/my-project" {
		t.Errorf("a message that cannot be read: %q", got)
	}
}
