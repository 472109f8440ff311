package notify

import (
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"
)

// The templates of channels that have none of their own.
const (
	defaultTitle = `{{if and (eq .Severity "critical") (ne .State "resolved")}}[critical] {{end}}{{.Title}}`
	defaultBody  = `{{range .Lines}}{{.}}
{{end}}{{if .Run}}Run {{.Run}}
{{end}}{{if .URL}}{{.URL}}
{{end}}`
)

// Bounds of what is sent, in bytes.
const (
	maxTitle = 250
	maxBody  = 12 << 10
)

// bodyLimits are of services that refuse more, or cut it into several messages.
var bodyLimits = map[string]int{"telegram": 3500, "discord": 1900, "pushover": 900, "opsgenie": 10000, "pagerduty": 900}

// View is what templates see of a message. The text in it is harmless in the
// channel's service already.
type View struct {
	Title, Repository, Unit, Event, State, Severity, Run, URL, Group, Key string

	Lines []string
	At    time.Time
}

// templates make the text of one channel.
type templates struct {
	title, body *template.Template
	defuse      defuser
	limit       int // of a body, in bytes
}

// TemplateError is a template that cannot be read, or that asks for what is not there.
type TemplateError struct {
	Field string // title or body
	Line  int    // of the template, from 1; 0 where it is not known
	Text  string
}

func (e *TemplateError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Text) }

func newTemplates(c Channel, service string) (templates, error) {
	t := templates{defuse: defuserOf(service), limit: maxBody}
	if l, ok := bodyLimits[service]; ok {
		t.limit = l
	}
	var err error
	if t.title, err = parse("title", c.Title, defaultTitle); err != nil {
		return t, err
	}
	if t.body, err = parse("body", c.Body, defaultBody); err != nil {
		return t, err
	}
	return t, nil
}

// parse reads a template and tries it, with all that a message may have and with
// the least: a field that does not exist is found now and not at the first alert.
func parse(field, text, fallback string) (*template.Template, error) {
	if text == "" {
		text = fallback
	}
	t, err := template.New(field).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, templateError(field, err)
	}
	full := View{
		Title: "t", Repository: "r", Unit: "u", Event: string(Drift), State: "new", Severity: "warning",
		Run: "r1", URL: "https://mooring.example.com", Group: "g", Key: "k", Lines: []string{"one", "two"}, At: time.Unix(0, 0).UTC(),
	}
	for _, v := range []View{full, {Severity: "info", Event: string(Operator)}} {
		if _, err := execute(t, v, maxBody); err != nil {
			return nil, templateError(field, err)
		}
	}
	return t, nil
}

func templateError(field string, err error) error {
	text := strings.TrimPrefix(err.Error(), "template: "+field+":")
	line := 0
	if n, rest, ok := strings.Cut(text, ":"); ok {
		if _, scan := fmt.Sscanf(n, "%d", &line); scan == nil {
			text = strings.TrimSpace(rest)
		}
	}
	return &TemplateError{Field: field, Line: line, Text: text}
}

// errFull stops a template that writes more than is sent.
var errFull = errors.New("the text is full")

type bounded struct {
	strings.Builder
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(p) > b.left {
		b.Builder.Write(p[:b.left]) // never fails
		b.left = 0
		return 0, errFull
	}
	b.left -= len(p)
	return b.Builder.Write(p)
}

func execute(t *template.Template, v View, limit int) (string, error) {
	b := bounded{left: limit + 1}
	if err := t.Execute(&b, v); err != nil && !errors.Is(err, errFull) {
		return "", err
	}
	return cut(b.String(), limit), nil
}

// cut shortens at the end of a character and says so.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const more = "…"
	s = s[:limit-len(more)]
	for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) && !utf8.RuneStart(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return strings.ToValidUTF8(s, "") + more
}

// text renders one message. A template that fails, which its trial has not shown,
// must not keep a message back: ours takes its place.
func (t templates) text(m Message) (title, body string) {
	v := t.view(m)
	title, err := execute(t.title, v, maxTitle)
	if err != nil || strings.TrimSpace(title) == "" {
		title = cut(v.Title, maxTitle)
	}
	if body, err = execute(t.body, v, t.limit); err != nil {
		body = cut(strings.Join(v.Lines, "\n"), t.limit)
	}
	return oneLine(strings.TrimSpace(title)), strings.TrimSpace(body)
}

// digest renders several messages as one.
func (t templates) digest(all []Message) (title, body string) {
	if len(all) == 1 {
		return t.text(all[0])
	}
	var b strings.Builder
	critical := 0
	for _, m := range all {
		if m.Severity >= Critical {
			critical++
		}
		one, lines := t.text(m)
		fmt.Fprintf(&b, "%s\n", one)
		if lines != "" {
			fmt.Fprintf(&b, "%s\n", lines)
		}
		b.WriteString("\n")
	}
	title = fmt.Sprintf("Mooring: %d messages", len(all))
	if critical > 0 {
		title += fmt.Sprintf(", %d critical", critical)
	}
	return title, strings.TrimSpace(cut(b.String(), t.limit))
}

func (t templates) view(m Message) View {
	v := View{
		Title: t.defuse(m.Title), Repository: t.defuse(m.Repository), Unit: t.defuse(m.Unit), Event: string(m.Event), State: t.defuse(m.State),
		Severity: m.Severity.String(), Run: t.defuse(m.Run), URL: oneLine(m.URL), Group: t.defuse(m.Group), Key: t.defuse(m.Key), At: m.At,
	}
	for _, l := range m.Lines {
		v.Lines = append(v.Lines, t.defuse(l))
	}
	return v
}
