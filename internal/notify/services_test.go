package notify

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serviceURLs are addresses as each service's page has them; what is secret in them holds
// the word hush. Services that have a transport of their own are at LOOPBACK.
var serviceURLs = map[string]string{
	"bark":       "bark://:hushhushkey@api.example.com",
	"discord":    "discord://hushhushtoken@123456789012345678",
	"generic":    "generic+https://hooks.example.com/hushhush?template=json",
	"googlechat": "googlechat://chat.googleapis.com/v1/spaces/FOO/messages?key=hushhushkey&token=hushhushtoken",
	"gotify":     "gotify://LOOPBACK/AhushAhushAhus0?disabletls=yes",
	"lark":       "lark://open.larksuite.com/hushhushtoken?secret=hushhushsecret",
	"matrix":     "matrix://:hushhushtoken@matrix.example.com/?rooms=!room:example.com",
	"mattermost": "mattermost://LOOPBACK/hushhushtoken?disabletls=yes",
	"ntfy":       "ntfy://:hushhushtoken@LOOPBACK/topic?scheme=http",
	"opsgenie":   "opsgenie://api.opsgenie.com/hushhush-0000-0000-0000-000000000000",
	"pagerduty":  "pagerduty://events.pagerduty.com/deadbeefdeadbeefdeadbeefdeadbeef",
	"pushbullet": "pushbullet://hushhushhushhushhushhushhushhus000/#channel",
	"pushover":   "pushover://:hushhushtoken@hushhushuser",
	"rocketchat": "rocketchat://chat.example.com/hushhushA/hushhushB/alerts",
	"signal":     "signal://signal.example.com/+1234567890/+0987654321?token=hushhushtoken",
	"slack":      "slack://hook:HUSHHUSHA-HUSHHUSHB-hushhushhushhushhushhush@webhook",
	"teams":      "teams://11111111-4444-4444-8444-cccccccccccc@22222222-4444-4444-8444-cccccccccccc/33333333012222222222333333333344/44444444-4444-4444-8444-cccccccccccc/V2hushhush?host=test.webhook.office.com",
	"telegram":   "telegram://123456789:hushhushhushhushhushhushhushhushABC@telegram?chats=-1001234",
	"wecom":      "wecom://hushhush-7aoc-4bc4-97a0-0ec2sifa5aaa",
	"zulip":      "zulip://bot%40zulipchat.com:hushhushhushhushhushhushhushhush@example.zulipchat.com?stream=ops&topic=drift",
}

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func message(key string) Message {
	return Message{
		Key: key, Event: Drift, State: "new", Severity: Warning, Repository: "infra", Unit: "infra/app", Run: "r7",
		Title: "Drift in infra/app", Lines: []string{"aws_instance.web: tags.Owner", "a second line"},
		URL: "https://mooring.example.com/runs/r7", Group: "drift/infra/app", At: noon,
	}
}

func TestEveryServiceHasAnAddressInTheTests(t *testing.T) {
	for _, name := range serviceNames() {
		if serviceURLs[name] == "" {
			t.Errorf("no address of %s", name)
		}
	}
}

// Nothing may be taken for told that was not: the library is asked for each service.
func TestNoServiceTakesAFailureForSuccess(t *testing.T) {
	failures := map[string]http.HandlerFunc{
		"cut off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"500":     status(500, `{"ok":false,"error":"hm"}`),
		"403":     status(403, "forbidden"),
		"502":     status(502, ""),
	}
	for name, raw := range serviceURLs {
		for failure, handle := range failures {
			t.Run(name+" "+failure, func(t *testing.T) {
				requests := internet(t, handle)
				err := Try(t.Context(), Channel{Name: "c", Shoutrrr: onLoopback(raw)}, "", message("k"))
				if err == nil {
					t.Errorf("taken for success after %d requests", len(requests()))
				} else if strings.Contains(strings.ToLower(err.Error()), "hush") {
					t.Errorf("the error holds a secret: %v", err)
				}
				if len(requests()) == 0 {
					t.Errorf("nothing was sent: %v", err)
				}
			})
		}
	}
}

// The title and every line must arrive, whatever the service makes of them.
func TestEveryServiceTellsTitleAndText(t *testing.T) {
	for name, raw := range serviceURLs {
		t.Run(name, func(t *testing.T) {
			requests := internet(t, status(200, `{"event_id":"e","room_id":"r"}`))
			m := message("k")
			m.Title, m.Lines = "Headline", []string{"firstline", "secondline"}
			err := Try(t.Context(), Channel{Name: "c", Shoutrrr: onLoopback(raw)}, "", m)
			all := ""
			for _, r := range requests() {
				all += fmt.Sprint(r.body, r.header, r.path)
			}
			for _, want := range []string{"Headline", "firstline", "secondline"} {
				if !strings.Contains(all, want) {
					t.Errorf("%s is not in %s (%v)", want, all, err)
				}
			}
		})
	}
}

func TestCheckAsksNobodyAndSaysNoSecret(t *testing.T) {
	requests := internet(t, status(500, ""))
	for name, raw := range serviceURLs {
		if err := Check(Channel{Name: "c", Shoutrrr: raw}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, broken := range []string{raw + "\x7f", "x" + raw, strings.Replace(raw, "://", "+https://%zz", 1), "https://hooks.example.com/hushhush"} {
			err := Check(Channel{Name: "c", Shoutrrr: broken})
			if err != nil && strings.Contains(strings.ToLower(err.Error()), "hush") {
				t.Errorf("%s: the error holds a secret: %v", name, err)
			}
		}
	}
	if all := requests(); len(all) != 0 {
		t.Errorf("a check sent %+v", all)
	}
}

func TestATryThatHangsIsNotDoubled(t *testing.T) {
	release := make(chan struct{})
	requests := internet(t, func(w http.ResponseWriter, r *http.Request) { <-release })
	l, err := newLine(Channel{Name: "c", Shoutrrr: serviceURLs["generic"]}, "")
	if err != nil {
		t.Fatal(err)
	}
	first, second := deliverable(t, "first"), deliverable(t, "second")
	ctx, cancel := timeout(t, 300*time.Millisecond)
	defer cancel()
	if err := l.deliver(ctx, first); !away(err) || err == nil {
		t.Errorf("a try that hangs: %v", err)
	}
	if err := l.deliver(t.Context(), second); err == nil || !away(err) {
		t.Errorf("another letter meanwhile: %v", err)
	}
	close(release)
	if err := l.deliver(t.Context(), first); err != nil {
		t.Errorf("the letter that has arrived: %v", err)
	}
	if n := len(requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	if err := l.deliver(t.Context(), second); err != nil {
		t.Errorf("the other letter afterwards: %v", err)
	}
}

func TestTheLibrarysPanicIsAnError(t *testing.T) {
	s := &service{name: "x", new: nil}
	err := s.send(t.Context(), letter{id: "a"})
	var refused *refusedError
	if !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
}
