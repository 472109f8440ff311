package notify

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/discord"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// discordService keeps the library from asking again by itself: the outbox does so, and
// of two who ask again one would double what the other has told.
type discordService struct{ discord.Service }

func (s *discordService) Initialize(u *url.URL, log types.StdLogger) error {
	if err := s.Service.Initialize(u, log); err != nil {
		return err
	}
	s.Config.SplitLines = false // an embed a line: of more than ten the library makes several messages
	s.HTTPClient, s.Sleeper = &askOnce{client: http.Client{Timeout: sendTimeout}}, awake{}
	return nil
}

type awake struct{}

func (awake) Sleep(time.Duration) {}

// askOnce answers a second request with the error of the first.
type askOnce struct {
	client http.Client
	err    error
}

// Do returns an error for every status but success.
func (a *askOnce) Do(r *http.Request) (*http.Response, error) {
	if a.err != nil {
		return nil, a.err
	}
	res, err := a.client.Do(r)
	if err != nil {
		a.err = err
		return nil, err
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10)) // as much of it as there is
	_ = res.Body.Close()                                    // nothing is left to be done about it
	a.err = answer(res, strings.TrimSpace(string(text)), time.Now())
	return nil, a.err
}
