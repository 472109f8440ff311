package forge

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
)

const hookSecret = "webhook secret"

// delivery is what a forge would send.
func delivery(kind Kind, event, body string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	m := hmac.New(sha256.New, []byte(hookSecret))
	m.Write([]byte(body))
	sum := hex.EncodeToString(m.Sum(nil))
	switch kind {
	case Gitea:
		h.Set("X-Gitea-Event", event)
		h.Set("X-Gitea-Signature", sum)
	case GitHub:
		h.Set("X-GitHub-Event", event)
		h.Set("X-Hub-Signature-256", "sha256="+sum)
	case GitLab:
		h.Set("X-Gitlab-Event", event)
		h.Set("X-Gitlab-Token", hookSecret)
	}
	return h
}

func TestHooks(t *testing.T) {
	const (
		acme = `"repository":{"full_name":"acme/infra"}`
		lab  = `"project":{"id":1,"path_with_namespace":"acme/platform/infra"}`
	)
	for _, c := range []struct {
		kind  Kind
		event string
		body  string
		want  Hook
	}{
		{Gitea, "push", `{"ref":"refs/heads/main",` + acme + `}`, Hook{Pushed: true}},
		{Gitea, "push", `{"ref":"refs/tags/v1",` + acme + `}`, Hook{}},
		{Gitea, "pull_request", `{"action":"opened","number":7,"pull_request":{"number":7},` + acme + `}`, Hook{Number: 7}},
		{Gitea, "pull_request_sync", `{"action":"synchronized","number":7,"pull_request":{"number":7},` + acme + `}`, Hook{Number: 7}},
		{Gitea, "pull_request_approved", `{"action":"reviewed","number":7,"pull_request":{"number":7},` + acme + `}`, Hook{Number: 7}},
		{Gitea, "issue_comment", `{"action":"created","is_pull":true,"issue":{"number":7},` + acme + `}`, Hook{Number: 7}},
		{Gitea, "issue_comment", `{"action":"created","is_pull":false,"issue":{"number":8},` + acme + `}`, Hook{}},
		{Gitea, "issues", `{"number":8,"issue":{"number":8},` + acme + `}`, Hook{}},
		{Gitea, "status", `{` + acme + `}`, Hook{}},
		{Gitea, "something_new", `{` + acme + `}`, Hook{}},
		{Gitea, "pull_request", `{"pull_request":{"number":-3},` + acme + `}`, Hook{}},

		{GitHub, "ping", `{"zen":"Keep it logically awesome.",` + acme + `}`, Hook{Ping: true}},
		{GitHub, "push", `{"ref":"refs/heads/main","deleted":false,` + acme + `}`, Hook{Pushed: true}},
		{GitHub, "push", `{"ref":"refs/tags/v1",` + acme + `}`, Hook{}},
		{GitHub, "pull_request", `{"action":"synchronize","number":7,"pull_request":{"number":7},` + acme + `}`, Hook{Number: 7}},
		{GitHub, "pull_request_review", `{"action":"submitted","pull_request":{"number":7},` + acme + `}`, Hook{Number: 7}},
		{GitHub, "issue_comment", `{"action":"created","issue":{"number":7,"pull_request":{"url":"x"}},` + acme + `}`, Hook{Number: 7}},
		{GitHub, "issue_comment", `{"action":"created","issue":{"number":8},` + acme + `}`, Hook{}},
		{GitHub, "check_run", `{` + acme + `}`, Hook{}},

		{GitLab, "Push Hook", `{"object_kind":"push","ref":"refs/heads/main",` + lab + `}`, Hook{Pushed: true}},
		{GitLab, "Tag Push Hook", `{"object_kind":"tag_push","ref":"refs/tags/v1",` + lab + `}`, Hook{}},
		{GitLab, "Merge Request Hook", `{"object_kind":"merge_request","object_attributes":{"id":99,"iid":7},` + lab + `}`, Hook{Number: 7}},
		{GitLab, "System Hook", `{"object_kind":"merge_request","object_attributes":{"id":99,"iid":7},` + lab + `}`, Hook{Number: 7}},
		{GitLab, "Note Hook", `{"object_kind":"note","object_attributes":{"id":5},"merge_request":{"id":99,"iid":7},` + lab + `}`, Hook{Number: 7}},
		{GitLab, "Note Hook", `{"object_kind":"note","object_attributes":{"id":5},"issue":{"iid":8},` + lab + `}`, Hook{}},
		{GitLab, "Pipeline Hook", `{"object_kind":"pipeline","object_attributes":{"iid":12},` + lab + `}`, Hook{}},
	} {
		c.want.Event, c.want.Repository = c.event, "acme/infra"
		if c.kind == GitLab {
			c.want.Repository = "acme/platform/infra"
		}
		got, err := ParseHook(c.kind, hookSecret, delivery(c.kind, c.event, c.body), []byte(c.body))
		if err != nil || got != c.want {
			t.Errorf("%s %s %s: %+v, %v", c.kind, c.event, c.body, got, err)
		}
	}
}

func TestHookOfAnotherRepositorySaysSo(t *testing.T) {
	const body = `{"ref":"refs/heads/main","repository":{"full_name":"evil/infra","clone_url":"ext::sh -c true"}}`
	got, err := ParseHook(Gitea, hookSecret, delivery(Gitea, "push", body), []byte(body))
	if err != nil || got != (Hook{Repository: "evil/infra", Pushed: true, Event: "push"}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestHooksThatAreNotSigned(t *testing.T) {
	bodies := map[Kind]string{
		Gitea:  `{"ref":"refs/heads/main","repository":{"full_name":"acme/infra"}}`,
		GitHub: `{"ref":"refs/heads/main","repository":{"full_name":"acme/infra"}}`,
		GitLab: `{"object_kind":"push","ref":"refs/heads/main","project":{"path_with_namespace":"acme/infra"}}`,
	}
	headers := map[Kind]string{Gitea: "X-Gitea-Signature", GitHub: "X-Hub-Signature-256", GitLab: "X-Gitlab-Token"}
	for kind, body := range bodies {
		event := map[Kind]string{GitLab: "Push Hook"}[kind]
		if event == "" {
			event = "push"
		}
		good := delivery(kind, event, body)
		if _, err := ParseHook(kind, hookSecret, good, []byte(body)); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		refused := func(what, secret string, h http.Header, body []byte) {
			t.Helper()
			got, err := ParseHook(kind, secret, h, body)
			if err == nil || got != (Hook{}) {
				t.Errorf("%s %s: %+v, %v", kind, what, got, err)
			}
			if secret == hookSecret && len(body) <= maxHook && !errors.Is(err, ErrSignature) {
				t.Errorf("%s %s: %v", kind, what, err)
			}
		}
		signature := good.Get(headers[kind])
		with := func(value string) http.Header {
			h := good.Clone()
			h.Set(headers[kind], value)
			return h
		}
		none := good.Clone()
		none.Del(headers[kind])
		refused("unsigned", hookSecret, none, []byte(body))
		refused("signed with nothing", hookSecret, with(""), []byte(body))
		refused("cut", hookSecret, with(signature[:len(signature)-2]), []byte(body))
		refused("lengthened", hookSecret, with(signature+"00"), []byte(body))
		refused("junk", hookSecret, with("zz"), []byte(body))
		refused("only the algorithm", hookSecret, with("sha256="), []byte(body))
		refused("SHA-1", hookSecret, with("sha1=0123456789012345678901234567890123456789"), []byte(body))
		refused("another secret", "another", good, []byte(body))
		refused("no secret", "", good, []byte(body))
		refused("no secret, signed with none", "", with(""), []byte(body))
		refused("too long", hookSecret, good, []byte(strings.Repeat(" ", maxHook+1)))
		if kind != GitLab { // whose token signs no body
			refused("another body", hookSecret, good, []byte(strings.Replace(body, "acme", "evil", 1)))
		}
		for other, name := range headers {
			if other != kind {
				h := good.Clone()
				h.Del(headers[kind])
				h.Set(name, signature)
				refused("signed as "+string(other)+" does", hookSecret, h, []byte(body))
			}
		}
	}
	if _, err := ParseHook("bitbucket", hookSecret, http.Header{}, nil); err == nil {
		t.Error("a kind that there is not")
	}
}

func TestGitLabSigningToken(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	secret := "whsec_" + base64.StdEncoding.EncodeToString(key)
	const body = `{"object_kind":"push","ref":"refs/heads/main","project":{"path_with_namespace":"acme/infra"}}`
	sign := func(text string) string {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(text))
		return "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))
	}
	good := sign("id-1.1790000000." + body)
	for _, c := range []struct {
		name, secret, signature, id, token string
		ok                                 bool
	}{
		{"signed", secret, good, "id-1", "", true},
		{"one of two", secret, sign("x") + " " + good, "id-1", "", true},
		{"another id", secret, good, "id-2", "", false},
		{"another version", secret, "v2" + good[2:], "id-1", "", false},
		{"unsigned", secret, "", "id-1", "", false},
		{"wrongly signed, with the token in clear", secret, sign("x"), "id-1", secret, false},
		{"a key that is none", "whsec_?", good, "id-1", "", false},
		{"an empty key", "whsec_", good, "id-1", "", false},
		{"signed, but a secret token is set up", hookSecret, good, "id-1", "", false},
	} {
		h := http.Header{"Content-Type": {"application/json; charset=utf-8"}, "X-Gitlab-Event": {"Push Hook"}}
		h.Set("Webhook-Signature", c.signature)
		h.Set("Webhook-Id", c.id)
		h.Set("Webhook-Timestamp", "1790000000")
		h.Set("X-Gitlab-Token", c.token)
		hook, err := ParseHook(GitLab, c.secret, h, []byte(body))
		if c.ok != (err == nil) || c.ok != hook.Pushed || !c.ok && !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %+v, %v", c.name, hook, err)
		}
	}
}

func TestHooksOfJunk(t *testing.T) {
	for _, kind := range []Kind{Gitea, GitHub, GitLab} {
		event, push := "push", `"ref":"refs/heads/main"`
		if kind == GitLab {
			event, push = "Push Hook", `"object_kind":"push","ref":"refs/heads/main"`
		}
		for _, body := range []string{
			"", "null", "junk", "[]", `{"ref":7}`, "\xff\xfe", `{` + push + `}`, `{` + push + `,"repository":null,"project":null}`,
			`{` + push + `,"repository":{"full_name":"../../etc"},"project":{"path_with_namespace":"../../etc"}}`,
			`{` + push + `,"repository":{"full_name":"a\nb/c"},"project":{"path_with_namespace":"a\nb/c"}}`,
			`{"repository":`, strings.Repeat("[", 1000),
		} {
			got, err := ParseHook(kind, hookSecret, delivery(kind, event, body), []byte(body))
			if got.Pushed || got.Number != 0 || got.Repository != "" || err == nil && body != "null" {
				t.Errorf("%s %q: %+v, %v", kind, body, got, err)
			}
		}
	}
	form := delivery(GitHub, "push", "payload=%7B%7D")
	form.Set("Content-Type", "application/x-www-form-urlencoded")
	if _, err := ParseHook(GitHub, hookSecret, form, []byte("payload=%7B%7D")); err == nil || !strings.Contains(err.Error(), "content type") {
		t.Errorf("a form: %v", err)
	}
}

func FuzzParseHook(f *testing.F) {
	f.Add("push", `{"ref":"refs/heads/main","repository":{"full_name":"acme/infra"}}`)
	f.Fuzz(func(t *testing.T, event, body string) {
		for _, kind := range []Kind{Gitea, GitHub, GitLab} {
			hook, err := ParseHook(kind, hookSecret, delivery(kind, event, body), []byte(body))
			if err != nil && hook != (Hook{}) || hook.Number < 0 || hook.Number > 0 && hook.Repository == "" {
				t.Errorf("%+v, %v", hook, err)
			}
		}
	})
}
