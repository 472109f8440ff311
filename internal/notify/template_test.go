package notify

import (
	"errors"
	"strings"
	"testing"
)

func TestTheDefaultTextReadsWell(t *testing.T) {
	text, err := newTemplates(Channel{}, "email")
	if err != nil {
		t.Fatal(err)
	}
	m := message("k")
	m.Severity = Critical
	title, body := text.text(m)
	if want := "[critical] Drift in infra/app"; title != want {
		t.Errorf("title %q, want %q", title, want)
	}
	if want := "aws_instance.web: tags.Owner\na second line\nRun r7\nhttps://mooring.example.com/runs/r7"; body != want {
		t.Errorf("body %q, want %q", body, want)
	}
}

func TestATemplateIsTriedWhenItIsRead(t *testing.T) {
	tests := []struct {
		name        string
		title, body string
		field       string
		line        int
		text        string
	}{
		{"a brace too few", "{{.Title}", "", "title", 1, "bad character"},
		{"a field that is none", "", "one\n{{.Titel}}", "body", 2, "Titel"},
		{"a function that is none", "", "{{shout .Title}}", "body", 1, "shout"},
		{"what is not always there", "", `{{index .Lines 0}}`, "body", 1, "out of range"},
	}
	for _, tt := range tests {
		_, err := newTemplates(Channel{Title: tt.title, Body: tt.body}, "email")
		var wrong *TemplateError
		if !errors.As(err, &wrong) || wrong.Field != tt.field || wrong.Line != tt.line || !strings.Contains(wrong.Text, tt.text) {
			t.Errorf("%s: %#v", tt.name, err)
		}
	}
}

func TestATemplateThatFailsKeepsNothingBack(t *testing.T) {
	text, err := newTemplates(Channel{Body: `{{if eq .Unit "bad"}}{{index .Lines 9}}{{end}}`}, "email")
	if err != nil {
		t.Fatal(err)
	}
	m := message("k")
	m.Unit = "bad"
	if _, body := text.text(m); body != "aws_instance.web: tags.Owner\na second line" {
		t.Errorf("body %q", body)
	}
}

func TestTextIsBounded(t *testing.T) {
	text, err := newTemplates(Channel{Title: `{{range .Lines}}{{.}}{{end}}`}, "telegram")
	if err != nil {
		t.Fatal(err)
	}
	m := message("k")
	m.Lines = nil
	for range 2000 {
		m.Lines = append(m.Lines, "äöü€😀")
	}
	var many []Message
	for range 300 {
		many = append(many, m)
	}
	for _, all := range [][]Message{{m}, many} {
		title, body := text.digest(all)
		if len(title) > maxTitle || len(body) > 3500 || strings.ToValidUTF8(title+body, "?") != title+body || !strings.HasSuffix(body, "…") {
			t.Errorf("title of %d bytes, body of %d: …%q", len(title), len(body), body[max(0, len(body)-20):])
		}
	}
}

func TestErrorsHoldNoSecret(t *testing.T) {
	c := Channel{
		Shoutrrr: "discord://hushtoken@1234567890123",
		Webhook:  &Webhook{URL: "https://hooks.example.com/hush-path?key=hush-query", Secret: "hush-secret"},
		Email:    &Email{Password: "hush-password"},
	}
	err := errors.New(`Post "https://hooks.example.com/hush-path?key=hush-query": 535 hush-password hush-secret hush-query discord://hushtoken@1234567890123 hushtoken`)
	got := hidden(err, secretsOf(c))
	if strings.Contains(got, "hush") || !strings.Contains(got, "hooks.example.com/…") {
		t.Errorf("hidden: %s", got)
	}
}
