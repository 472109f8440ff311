package serverconfig

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/internal/notify"
)

var notifyEnv = vars(map[string]string{
	"CHAT": "slack://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook", "SMTP": "sesame-open", "HOOK": "a secret of the receiver's", "TOKEN": "hush-token",
	"BROKEN": "slack://hush-hush-hush", "SHORT": "hush",
})

func TestLoadReadsChannelsAndRoutes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.hcl")
	src := `data_dir = "data"
notify "chat" {
  shoutrrr = env("CHAT")
  title    = "{{.Title}}"
  body     = <<-EOT
    {{range .Lines}}- {{.}}
    {{end}}
  EOT
  digest   = "1h"
  quiet {
    from     = "22:00"
    to       = "07:30"
    timezone = "UTC"
    days     = ["mon", "sun"]
    except   = "critical"
  }
}
notify "mail" {
  email {
    server   = "mail.example.com:587"
    from     = "mooring@example.com"
    to       = ["ops@example.com"]
    username = "mooring"
    password = env("SMTP")
  }
}
notify "alerts" {
  alertmanager {
    url   = "https://alerts.example.com/am/"
    token = env("TOKEN")
  }
}
notify "hook" {
  webhook {
    url    = "https://hooks.example.com/mooring/"
    secret = env("HOOK")
  }
}
route {
  channels     = ["chat", "mail"]
  repositories = ["infra*"]
  units        = ["live/**"]
  severity     = "warning"
  events       = ["drift", "failed"]
}
route { channels = ["alerts", "hook"] }
`
	got, files, diags := Parse(path, []byte(src), notifyEnv)
	if len(diags) > 0 {
		t.Fatal(printed(t, files, diags))
	}
	want := notify.Config{
		Channels: []notify.Channel{
			{
				Name: "chat", Shoutrrr: "slack://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook",
				Title: "{{.Title}}", Body: "{{range .Lines}}- {{.}}\n{{end}}\n", Digest: time.Hour,
				Quiet: &notify.Quiet{From: 22 * time.Hour, To: 7*time.Hour + 30*time.Minute, Location: time.UTC, Days: []time.Weekday{time.Monday, time.Sunday}, Except: notify.Critical},
			},
			{Name: "mail", Email: &notify.Email{Server: "mail.example.com:587", TLS: "starttls", From: "mooring@example.com", To: []string{"ops@example.com"}, Username: "mooring", Password: "sesame-open"}},
			{Name: "alerts", Alertmanager: &notify.Alertmanager{URL: "https://alerts.example.com/am", Token: "hush-token"}},
			{Name: "hook", Webhook: &notify.Webhook{URL: "https://hooks.example.com/mooring/", Secret: "a secret of the receiver's"}},
		},
		Routes: []notify.Route{
			{Channels: []string{"chat", "mail"}, Repositories: []string{"infra*"}, Units: []string{"live/**"}, Severity: notify.Warning, Events: []notify.Event{notify.Drift, notify.Failed}},
			{Channels: []string{"alerts", "hook"}},
		},
	}
	if diff := cmp.Diff(want, got.Notify, cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })); diff != "" {
		t.Errorf("notify (-want +got):\n%s", diff)
	}
}

func TestLoadRefusesChannelsAndRoutes(t *testing.T) {
	mail := `email {
  server = "mail.example.com:25"
  from = "a@example.com"
  to = ["b@example.com"]
`
	tests := []struct{ name, src, want string }{
		{"a secret in the file", `notify "c" { shoutrrr = "slack://hush-hush" }`, "shoutrrr is a secret"},
		{"no address", `notify "c" { digest = "1h" }`, "Channel without an address"},
		{"two addresses", "notify \"c\" {\n  shoutrrr = env(\"CHAT\")\n  webhook {\n    url = \"https://x.example.com\"\n    secret = env(\"HOOK\")\n  }\n}", "has an address already at"},
		{"an address that is none", `notify "c" { shoutrrr = env("BROKEN") }`, "slack: invalid slack token format"},
		{"a misspelt argument", "notify \"c\" {\n  shoutrrr = env(\"CHAT\")\n  digset = \"1h\"\n}", `Did you mean "digest"?`},
		{"a digest that is a delay", "notify \"c\" {\n  shoutrrr = env(\"CHAT\")\n  digest = \"1s\"\n}", "digest must be at least 1m0s"},
		{"a template's title", "notify \"c\" {\n  shoutrrr = env(\"CHAT\")\n  title = \"{{.Titel}}\"\n}", "can't evaluate field Titel"},
		{"a template's line", "notify \"c\" {\n  shoutrrr = env(\"CHAT\")\n  body = <<-EOT\n    one\n    {{.Titel}}\n  EOT\n}", "body, line 6:"},
		{"a route to nobody", "notify \"chat\" { shoutrrr = env(\"CHAT\") }\nroute { channels = [\"chta\"] }", `did you mean "chat"?`},
		{"a route without channels", `route { severity = "warning" }`, `"channels" is required`},
		{"an unknown event", "notify \"c\" { shoutrrr = env(\"CHAT\") }\nroute {\n  channels = [\"c\"]\n  events = [\"drifts\"]\n}", `did you mean "drift"?`},
		{"an unknown severity", "notify \"c\" { shoutrrr = env(\"CHAT\") }\nroute {\n  channels = [\"c\"]\n  severity = \"warn\"\n}", "severity is one of"},
		{"a pattern that is none", "notify \"c\" { shoutrrr = env(\"CHAT\") }\nroute {\n  channels = [\"c\"]\n  units = [\"a[\"]\n}", "Not a pattern"},
		{"a time that is none", "notify \"c\" {\n  shoutrrr = env(\"CHAT\")\n  quiet {\n    from = \"25:00\"\n    to = \"07:00\"\n  }\n}", "from is a time such as"},
		{"a zone that is none", "notify \"c\" {\n  shoutrrr = env(\"CHAT\")\n  quiet {\n    from = \"22:00\"\n    to = \"07:00\"\n    timezone = \"Europe/Brlin\"\n  }\n}", "Unknown time zone"},
		{"a short secret", "notify \"c\" {\n  webhook {\n    url = \"https://x.example.com\"\n    secret = env(\"SHORT\")\n  }\n}", "16 are the least"},
		{"half a login", "notify \"c\" {\n" + mail + "  username = \"m\"\n}\n}", "username needs password"},
		{"mail to nobody", "notify \"c\" {\n" + strings.Replace(mail, "b@example.com", "b at example", 1) + "}\n}", "Channel that cannot work"},
		{"a digest of alerts", "notify \"c\" {\n  digest = \"1h\"\n  alertmanager { url = \"http://127.0.0.1:9093\" }\n}", "it takes no digest"},
		{"the same channel twice", "notify \"c\" { shoutrrr = env(\"CHAT\") }\nnotify \"c\" { shoutrrr = env(\"CHAT\") }", "Duplicate notify"},
	}
	for _, tt := range tests {
		c, files, diags := Parse("server.hcl", []byte("data_dir = \"data\"\n"+tt.src+"\n"), notifyEnv)
		got := printed(t, files, diags)
		if c != nil || !strings.Contains(got, tt.want) {
			t.Errorf("%s: no %q in:\n%s", tt.name, tt.want, got)
		}
		if strings.Contains(strings.ReplaceAll(got, "AAAAAAAAA", "hush"), "hush") {
			t.Errorf("%s: a secret is shown:\n%s", tt.name, got)
		}
	}
}

func TestLoadSaysWhichChannelNobodyUses(t *testing.T) {
	_, files, diags := Parse("server.hcl", []byte("data_dir = \"data\"\nnotify \"a\" { shoutrrr = env(\"CHAT\") }\nnotify \"b\" { shoutrrr = env(\"CHAT\") }\nroute { channels = [\"a\"] }\n"), notifyEnv)
	if got := printed(t, files, diags); diags.HasErrors() || !strings.Contains(got, `No route names "b"`) {
		t.Errorf("printed:\n%s", got)
	}
}
