package serverconfig

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// Pages says who may read the pages of runs.
type Pages struct {
	Password string // "" shows them to nobody
}

// minPassword is in characters. Ten guesses a minute find nothing of that length.
const minPassword = 16

var pagesSchema = attributes("password")

func (d *decoder) pages(b *hcl.Block) Pages {
	if b == nil {
		return Pages{}
	}
	a := d.single(b, pagesSchema)["password"]
	if a == nil {
		d.fail(b.DefRange, "No password", "The pages of runs show what would change and what is there. Say who may read them: password = env(\"NAME\").")
		return Pages{}
	}
	p := Pages{Password: d.secret(a)}
	switch n := utf8.RuneCountInString(p.Password); {
	case p.Password == "": // said already
	case n < minPassword:
		d.fail(a.Expr.Range(), "Short password", fmt.Sprintf("password has %d characters: %d are the least.", n, minPassword))
	case strings.TrimSpace(p.Password) != p.Password:
		d.fail(a.Expr.Range(), "Spaces around a password", "password begins or ends with a space, and some clients send it without.")
	}
	return p
}

// checkPages says where links lead nowhere, or a password travels in the clear.
func (d *decoder) checkPages(b *hcl.Block, at hcl.Attributes, c *Config) {
	if b == nil {
		return
	}
	switch public := at["public_url"]; {
	case at["listen"] == nil:
		d.warn(b.DefRange, "Nothing listens", "Pages are shown where listen = \"host:port\" says, and it is left out.")
	case public == nil:
		d.warn(b.DefRange, "No links to the pages", "Comments and statuses link to pages below public_url, and it is left out.")
	case strings.HasPrefix(c.PublicURL, "http://") && !loopback(c.PublicURL):
		d.warn(public.Range, "The password travels unencrypted", "An http address shows the password of the pages to everyone on the way. Put something that speaks https before Mooring.")
	}
}
