package notify

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// hostile is a message whose words come from somebody who means ill.
func hostile() Message {
	m := message("k")
	m.Title = "Drift in @channel <!everyone> *bold*\nsecond line"
	m.Lines = []string{"<@U123> aws_instance.web [click](https://evil.example.com) @everyone `x` _all_", "line\u202etxt"}
	return m
}

func decode[T any](t *testing.T, body string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(body))
	if err := d.Decode(&v); err != nil {
		t.Fatalf("no JSON: %v\n%s", err, body)
	}
	return v
}

func one(t *testing.T, service, reply string, m Message) seen {
	t.Helper()
	requests := internet(t, status(200, reply))
	if err := Try(t.Context(), Channel{Name: "c", Shoutrrr: serviceURLs[service]}, "", m); err != nil {
		t.Fatal(err)
	}
	all := requests()
	if len(all) != 1 || all[0].method != http.MethodPost || !strings.HasPrefix(all[0].header.Get("Content-Type"), "application/json") {
		t.Fatalf("requests: %+v", all)
	}
	return all[0]
}

func TestSlackGetsAttachmentsThatPingNobody(t *testing.T) {
	r := one(t, "slack", "ok", hostile())
	if r.host != "hooks.slack.com" || r.path != "/services/HUSHHUSHA/HUSHHUSHB/hushhushhushhushhushhush" {
		t.Errorf("sent to %s%s", r.host, r.path)
	}
	p := decode[struct {
		Text        string
		Attachments []struct{ Text string }
	}](t, r.body)
	if p.Text == "" || len(p.Attachments) != 4 {
		t.Fatalf("payload: %s", r.body)
	}
	text := p.Text + p.Attachments[0].Text + p.Attachments[1].Text
	for _, ping := range []string{"<!", "<@", "@channel", "@everyone", "*bold*", "`x`", "_all_", "\u202e", "\n"} {
		if strings.Contains(text, ping) {
			t.Errorf("%q has kept its meaning: %q", ping, text)
		}
	}
	if !strings.Contains(text, "aws_instance.web") {
		t.Errorf("the address cannot be copied any more: %q", text)
	}
	if p.Attachments[3].Text != "https://mooring.example.com/runs/r7" {
		t.Errorf("the link is %q", p.Attachments[3].Text)
	}
}

func TestDiscordGetsAnEmbedThatPingsNobody(t *testing.T) {
	r := one(t, "discord", "", hostile())
	if r.host != "discord.com" || r.path != "/api/webhooks/123456789012345678/hushhushtoken" {
		t.Errorf("sent to %s%s", r.host, r.path)
	}
	p := decode[struct {
		Content string
		Embeds  []struct{ Title, Description string }
	}](t, r.body)
	if len(p.Embeds) == 0 {
		t.Fatalf("payload: %s", r.body)
	}
	text := p.Content
	for _, e := range p.Embeds {
		if len(e.Description) > 2048 {
			t.Errorf("an embed of %d bytes", len(e.Description))
		}
		text += e.Title + e.Description
	}
	for _, ping := range []string{"@everyone", "<@U", "[click](", "evil](", " *bold*", " `x`"} {
		if strings.Contains(text, ping) {
			t.Errorf("%q has kept its meaning: %q", ping, text)
		}
	}
	if !strings.Contains(text, `aws\_instance.web`) {
		t.Errorf("payload: %q", text)
	}
}

func TestALongMessageIsOneMessageOfDiscord(t *testing.T) {
	m := message("k")
	for range 500 {
		m.Lines = append(m.Lines, "aws_instance.web[0]: tags.Owner")
	}
	r := one(t, "discord", "", m)
	if len(r.body) > 6000 || !strings.Contains(r.body, "…") {
		t.Errorf("%d bytes: %s", len(r.body), r.body)
	}
}

func TestTeamsGetsAMessageCard(t *testing.T) {
	r := one(t, "teams", "1", hostile())
	if r.host != "test.webhook.office.com" || !strings.HasPrefix(r.path, "/webhookb2/11111111-4444") {
		t.Errorf("sent to %s%s", r.host, r.path)
	}
	p := decode[map[string]any](t, r.body)
	if p["@type"] != "MessageCard" || p["@context"] == "" || p["summary"] == "" || p["sections"] == nil {
		t.Errorf("payload: %s", r.body)
	}
	if strings.Contains(r.body, "[click](") {
		t.Errorf("a link with another text: %s", r.body)
	}
}

func TestTelegramGetsPlainText(t *testing.T) {
	r := one(t, "telegram", `{"ok":true}`, hostile())
	if r.host != "api.telegram.org" || r.path != "/bot123456789:hushhushhushhushhushhushhushhushABC/sendMessage" {
		t.Errorf("sent to %s%s", r.host, r.path)
	}
	p := decode[struct {
		ChatID    string `json:"chat_id"`
		Text      string
		ParseMode *string `json:"parse_mode"`
	}](t, r.body)
	if p.ChatID != "-1001234" || p.ParseMode != nil || strings.Contains(p.Text, "@everyone") || !strings.Contains(p.Text, "aws_instance.web") || len(p.Text) > 4096 {
		t.Errorf("payload: %s", r.body)
	}
}

func TestPagerDutysIncidentEndsWithTheDrift(t *testing.T) {
	m := message("k")
	m.State = "resolved"
	r := one(t, "pagerduty", "{}", m)
	p := decode[struct {
		Action string `json:"event_action"`
		Dedup  string `json:"dedup_key"`
	}](t, r.body)
	if p.Action != "resolve" || p.Dedup != m.Group {
		t.Errorf("payload: %s", r.body)
	}
}
