package notify

import (
	"strings"
	"unicode"
)

// breath is a space without width: what stands around it is read as before, and no
// longer means anything to a chat.
const breath = "\u200b"

// defuser makes text of others harmless in one service: nobody is pinged by it, and
// nothing in it is formatting or a link with another text.
type defuser func(string) string

var (
	mentions = strings.NewReplacer("@", "@"+breath)
	slackish = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "@"+breath, "*", "*"+breath, "~", "~"+breath, "`", "`"+breath)
	markdown = strings.NewReplacer(
		"@", "@"+breath, "<", "<"+breath, "://", ":"+breath+"//",
		`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "~", `\~`, "|", `\|`, "[", `\[`, "]", `\]`, "#", `\#`, ">", `\>`)
)

// defuserOf knows what services read into text. One that is not known here is taken
// for one that knows mentions.
func defuserOf(service string) defuser {
	escape := mentions.Replace
	switch service {
	case "slack":
		escape = func(s string) string { return underscores(slackish.Replace(s)) }
	case "discord", "teams", "mattermost", "rocketchat", "zulip", "googlechat", "lark", "wecom":
		escape = markdown.Replace
	case "email", "webhook", "alertmanager":
		escape = func(s string) string { return s }
	}
	return func(s string) string { return escape(oneLine(s)) }
}

// oneLine leaves what can be seen: no line breaks, no control characters, none that
// turn the direction of text around.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s)
}

// underscores takes the meaning from those at the edges of words alone: an address
// like aws_instance.web can still be copied.
func underscores(s string) string {
	runes := []rune(s)
	word := func(i int) bool {
		return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]))
	}
	var b strings.Builder
	for i, r := range runes {
		b.WriteRune(r)
		if r == '_' && (!word(i-1) || !word(i+1)) {
			b.WriteString(breath)
		}
	}
	return b.String()
}
