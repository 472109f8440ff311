package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// telegramService reads its address as the library does and sends by itself.
type telegramService struct {
	telegram.Service
	poster poster
}

// Initialize takes one chat: of two the first would be told again when the second fails.
func (s *telegramService) Initialize(u *url.URL, log types.StdLogger) error {
	if err := s.Service.Initialize(u, log); err != nil {
		return err
	}
	if n := len(s.GetConfig().Chats); n != 1 {
		return fmt.Errorf("the address names %d chats: each needs a channel of its own", n)
	}
	var err error
	s.poster, err = newPoster(nil, "mooring")
	return err
}

// Send posts plain text; Telegram reads no formatting into it.
func (s *telegramService) Send(text string, params *types.Params) error {
	c := s.GetConfig()
	if title, ok := params.Title(); ok && title != text {
		text = title + "\n" + text
	}
	body, err := json.Marshal(map[string]any{
		"chat_id": c.Chats[0], "text": text, "disable_web_page_preview": true, "disable_notification": !c.Notification,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	return s.poster.post(ctx, "https://api.telegram.org/bot"+c.Token+"/sendMessage", body, nil)
}
