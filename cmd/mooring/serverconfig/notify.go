package serverconfig

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/mooring-iac/mooring/internal/notify"
)

var notifySchema = &hcl.BodySchema{
	Attributes: attributes("shoutrrr", "title", "body", "digest").Attributes,
	Blocks:     []hcl.BlockHeaderSchema{{Type: "email"}, {Type: "alertmanager"}, {Type: "webhook"}, {Type: "quiet"}},
}

// minDigest: shorter ones are no digest but a delay.
const minDigest = time.Minute

func (d *decoder) channel(b *hcl.Block) notify.Channel {
	content := d.content(b.Body, notifySchema)
	at, blocks := content.Attributes, content.Blocks.ByType()
	before := len(d.diags) // what is wrong already is not said again in other words
	c := notify.Channel{
		Name:     b.Labels[0],
		Shoutrrr: d.secret(at["shoutrrr"]),
		Title:    d.prose(at["title"]),
		Body:     d.prose(at["body"]),
		Digest:   d.duration(at["digest"], 0, minDigest),
		Quiet:    d.quiet(d.one(blocks["quiet"])),
	}
	var addresses []hcl.Range
	if a := at["shoutrrr"]; a != nil {
		addresses = append(addresses, a.Range)
	}
	if e := d.one(blocks["email"]); e != nil {
		addresses = append(addresses, e.DefRange)
		c.Email = d.email(e)
	}
	if m := d.one(blocks["alertmanager"]); m != nil {
		addresses = append(addresses, m.DefRange)
		c.Alertmanager = d.alertmanager(m)
	}
	if w := d.one(blocks["webhook"]); w != nil {
		addresses = append(addresses, w.DefRange)
		c.Webhook = d.webhook(w)
	}
	switch {
	case len(addresses) == 0:
		d.fail(b.DefRange, "Channel without an address", fmt.Sprintf("Channel %q needs shoutrrr = env(\"NAME\") with the URL of a chat, or one of the blocks email, alertmanager and webhook.", c.Name))
	case len(addresses) > 1:
		d.fail(addresses[1], "Channel with two addresses", fmt.Sprintf("Channel %q has an address already at %s: make a channel of each.", c.Name, place(addresses[0])))
	case len(d.diags) == before:
		d.checkChannel(c, addresses[0], at)
	}
	return c
}

// checkChannel says at its line what of a channel cannot work.
func (d *decoder) checkChannel(c notify.Channel, address hcl.Range, at hcl.Attributes) {
	err := notify.Check(c)
	var wrong *notify.TemplateError
	switch {
	case err == nil:
	case errors.As(err, &wrong) && at[wrong.Field] != nil:
		where := at[wrong.Field].Expr.Range()
		detail := fmt.Sprintf("%s: %s.", wrong.Field, wrong.Text)
		if where.End.Line > where.Start.Line && wrong.Line > 0 { // a heredoc, whose text begins on the next line
			detail = fmt.Sprintf("%s, line %d: %s.", wrong.Field, where.Start.Line+wrong.Line, wrong.Text)
		}
		d.fail(where, "Not a template", detail)
	default:
		d.fail(address, "Channel that cannot work", sentence(err.Error()))
	}
}

func sentence(s string) string {
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

var emailSchema = attributes("server", "tls", "from", "to", "username", "password", "ca_bundle")

func (d *decoder) email(b *hcl.Block) *notify.Email {
	at := d.content(b.Body, emailSchema).Attributes
	d.needs(b, at, "server", "from", "to")
	e := &notify.Email{
		Server:   d.text(at["server"]),
		TLS:      d.oneOf(at["tls"], "starttls", "tls", "none"),
		From:     d.text(at["from"]),
		Username: d.login(at["username"]),
		Password: d.secret(at["password"]),
		CABundle: d.pem(at["ca_bundle"]),
	}
	for _, i := range d.filled(at["to"], "to lists who gets the mail") {
		e.To = append(e.To, i.text)
	}
	d.together(at, "username", "password")
	if a := at["password"]; a != nil && e.TLS == "none" && !loopback("http://"+e.Server) {
		d.warn(a.NameRange, "The password travels unencrypted", "tls = \"none\" shows the password to everyone on the way.")
	}
	return e
}

var alertmanagerSchema = attributes("url", "username", "password", "token", "ca_bundle")

func (d *decoder) alertmanager(b *hcl.Block) *notify.Alertmanager {
	at := d.content(b.Body, alertmanagerSchema).Attributes
	d.needs(b, at, "url")
	m := &notify.Alertmanager{
		URL:      d.httpURL(at["url"]),
		Username: d.login(at["username"]),
		Password: d.secret(at["password"]),
		Token:    d.secret(at["token"]),
		CABundle: d.pem(at["ca_bundle"]),
	}
	d.together(at, "username", "password")
	if at["token"] != nil && at["username"] != nil {
		d.fail(at["token"].NameRange, "Two logins", "Alertmanager is asked with a token or with a username and a password: keep one.")
	}
	return m
}

var webhookSchema = attributes("url", "secret", "ca_bundle")

func (d *decoder) webhook(b *hcl.Block) *notify.Webhook {
	at := d.content(b.Body, webhookSchema).Attributes
	d.needs(b, at, "url", "secret")
	return &notify.Webhook{URL: d.login(at["url"]), Secret: d.secret(at["secret"]), CABundle: d.pem(at["ca_bundle"])}
}

// needs says which arguments of a block are missing.
func (d *decoder) needs(b *hcl.Block, at hcl.Attributes, names ...string) {
	for _, name := range names {
		if at[name] == nil {
			d.fail(b.DefRange, "Missing required argument", fmt.Sprintf("The argument %q is required in %s, but no definition was found.", name, b.Type))
		}
	}
}

// together refuses one of two that mean nothing alone.
func (d *decoder) together(at hcl.Attributes, one, other string) {
	if at[one] == nil {
		one, other = other, one
	}
	if a := at[one]; a != nil && at[other] == nil {
		d.fail(a.NameRange, "Half a login", fmt.Sprintf("%s needs %s.", one, other))
	}
}

// prose is a text of one line or of several.
func (d *decoder) prose(a *hcl.Attribute) string {
	v, ok := d.value(a, cty.String)
	if !ok {
		return ""
	}
	s := v.AsString()
	if strings.TrimSpace(s) == "" {
		d.fail(a.Expr.Range(), "Empty value", fmt.Sprintf("%s is empty: leave it out or give it a value.", a.Name))
	}
	return s
}

var routeSchema = attributes("channels", "repositories", "units", "severity", "events")

func (d *decoder) route(b *hcl.Block) notify.Route {
	at := d.content(b.Body, routeSchema).Attributes
	d.needs(b, at, "channels")
	r := notify.Route{
		Repositories: d.globs(at["repositories"]),
		Units:        d.globs(at["units"]),
	}
	for _, i := range d.filled(at["channels"], "channels lists who is told") {
		r.Channels = append(r.Channels, i.text)
		d.channels = append(d.channels, i)
	}
	r.Severity, _ = notify.ParseSeverity(d.oneOf(at["severity"], "info", "warning", "critical"))
	var words []string
	for _, e := range notify.Events() {
		words = append(words, string(e))
	}
	for _, i := range d.filled(at["events"], "events lists what is told") {
		if d.known(i.at, "each entry of events", i.text, words...) {
			r.Events = append(r.Events, notify.Event(i.text))
		}
	}
	return r
}

func (d *decoder) globs(a *hcl.Attribute) []string {
	var all []string
	for _, i := range d.filled(a, "An empty list of patterns matches nothing") {
		if !doublestar.ValidatePattern(i.text) || i.text == "" {
			d.fail(i.at, "Not a pattern", fmt.Sprintf("Each entry of %s is a name in which * stands for anything but /, and ** for anything.", a.Name))
			continue
		}
		all = append(all, i.text)
	}
	return all
}

// checkRoutes refuses channels that the file does not have, and says which are never used.
func (d *decoder) checkRoutes(c notify.Config, defined map[string]hcl.Range) {
	var names []string
	for _, ch := range c.Channels {
		names = append(names, ch.Name)
	}
	used := map[string]bool{}
	for _, i := range d.channels {
		used[i.text] = true
		if len(names) == 0 {
			d.fail(i.at, "Unknown channel", "This file has no notify block.")
			continue
		}
		d.known(i.at, "each entry of channels", i.text, names...)
	}
	for _, name := range names {
		if len(c.Routes) > 0 && !used[name] {
			d.warn(defined[name], "Channel without a route", fmt.Sprintf("No route names %q, and where there are routes they alone say who is told.", name))
		}
	}
}

var quietSchema = attributes("from", "to", "timezone", "days", "except")

func (d *decoder) quiet(b *hcl.Block) *notify.Quiet {
	if b == nil {
		return nil
	}
	at := d.content(b.Body, quietSchema).Attributes
	d.needs(b, at, "from", "to")
	q := &notify.Quiet{From: d.clock(at["from"]), To: d.clock(at["to"]), Location: time.UTC}
	if s := d.text(at["timezone"]); s != "" {
		zone, err := time.LoadLocation(s)
		if err != nil || s == "Local" {
			d.fail(at["timezone"].Expr.Range(), "Unknown time zone", "timezone is a name of the IANA database, such as \"Europe/Berlin\", and the database must be installed where Mooring runs.")
		} else {
			q.Location = zone
		}
	}
	words := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} // as time.Weekday counts
	for _, i := range d.filled(at["days"], "days lists on which days the hours begin") {
		if d.known(i.at, "each entry of days", i.text, words...) {
			for n, w := range words {
				if w == i.text {
					q.Days = append(q.Days, time.Weekday(n))
				}
			}
		}
	}
	if at["except"] != nil {
		q.Except, _ = notify.ParseSeverity(d.oneOf(at["except"], "critical", "warning"))
	}
	return q
}

// clock is a time of the day.
func (d *decoder) clock(a *hcl.Attribute) time.Duration {
	s := d.text(a)
	if s == "" {
		return 0
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != 5 {
		d.fail(a.Expr.Range(), "Not a time of the day", fmt.Sprintf("%s is a time such as \"22:00\" or \"07:30\".", a.Name))
		return 0
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
}
