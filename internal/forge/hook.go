package forge

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
)

const maxHook = 1 << 20 // bytes of a webhook's body

// ParseHook reads a webhook. It is ErrSignature where the body is not signed with
// the secret, and nothing of it is read before that is known; without a secret there
// is no way to know. A kind of event that means nothing here is a Hook that hints
// at nothing. Which repository it is about is for the caller to compare.
//
// A delivery that was recorded and is sent again verifies again: it can only hint.
func ParseHook(kind Kind, secret string, h http.Header, body []byte) (Hook, error) {
	if secret == "" {
		return Hook{}, errors.New("read webhook: there is no secret to check it with")
	}
	if len(body) > maxHook {
		return Hook{}, fmt.Errorf("read webhook: it has more than %d bytes", maxHook)
	}
	var signed func(string, http.Header, []byte) bool
	var event string
	var read func(string, []byte) (Hook, error)
	switch kind {
	case Gitea:
		signed, event, read = signedGitea, h.Get("X-Gitea-Event"), readGitea
	case GitHub:
		signed, event, read = signedGitHub, h.Get("X-GitHub-Event"), readGitHub
	case GitLab:
		signed, event, read = signedGitLab, h.Get("X-Gitlab-Event"), readGitLab
	default:
		return Hook{}, fmt.Errorf("read webhook: %q is no kind of forge", kind)
	}
	if !signed(secret, h, body) {
		return Hook{}, fmt.Errorf("read webhook: %w", ErrSignature)
	}
	if media, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || media != "application/json" {
		return Hook{}, errors.New("read webhook: its content type is not application/json; the forge's settings of the webhook have a choice")
	}
	event = line(event, 64)
	hook, err := read(event, body)
	if err != nil {
		return Hook{}, fmt.Errorf("read webhook %s: %w", event, err)
	}
	hook.Event = event
	hook.Number = max(hook.Number, 0)
	hints := hook.Pushed || hook.Number > 0 // an App is told of things without a repository, too
	if (hints || hook.Repository != "") && checkRepository(kind, hook.Repository) != nil {
		return Hook{}, fmt.Errorf("read webhook %s: it names no repository", event)
	}
	return hook, nil
}

// payload reads a body without repeating a piece of it in an error.
func payload(body []byte, into any) error {
	if json.Unmarshal(body, into) != nil {
		return errors.New("its body is not the JSON that it should be")
	}
	return nil
}
