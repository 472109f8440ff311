package serverconfig

import (
	"encoding/pem"
	"fmt"
	"math"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Forge is where people review. Of Token and App there is one.
type Forge struct {
	Kind          string // gitea, github or gitlab
	URL           string // the forge's root, without a slash at its end
	Repository    string // owner/name; of GitLab group/subgroup/name
	Token         string
	App           *App
	WebhookSecret string // "" takes no webhooks
	Teams         Teams
	CABundle      []byte // PEM; the repository's where it is left out, nil for the system's
}

// App is a GitHub App that Mooring is.
type App struct {
	ID           int64
	Installation int64  // 0 asks the forge for the repository's
	PrivateKey   []byte // PEM
}

var (
	forgeSchema = &hcl.BodySchema{
		Attributes: attributes("url", "repository", "token", "webhook_secret", "ca_bundle", "teams").Attributes,
		Blocks:     []hcl.BlockHeaderSchema{{Type: "app"}},
	}
	appSchema = attributes("id", "installation", "private_key")
)

// forge reads the block of a repository whose URL and certificates are known. The
// server's listen is nil where nothing listens.
func (d *decoder) forge(b *hcl.Block, r Repository, listen *hcl.Attribute) *Forge {
	content := d.content(b.Body, forgeSchema)
	at := content.Attributes
	f := &Forge{
		Kind:          b.Labels[0],
		URL:           d.httpURL(at["url"]),
		Repository:    d.forgeRepository(at["repository"], b.Labels[0]),
		Token:         d.secret(at["token"]),
		App:           d.app(d.one(content.Blocks)),
		WebhookSecret: d.webhookSecret(b, at["webhook_secret"], listen),
		Teams:         d.teams(at["teams"], b.Labels[0]),
		CABundle:      d.pem(at["ca_bundle"]),
	}
	if at["ca_bundle"] == nil {
		f.CABundle = r.CABundle
	}
	if !d.known(b.LabelRanges[0], "forge", f.Kind, "gitea", "github", "gitlab") {
		return f
	}
	switch app := content.Blocks; {
	case len(app) > 0 && f.Kind != "github":
		d.fail(app[0].DefRange, "No app", fmt.Sprintf("Only GitHub has apps. Of %s: token = env(\"NAME\").", f.Kind))
	case len(app) > 0 && at["token"] != nil:
		d.fail(app[0].DefRange, "Two identities", "Mooring is an app or whoever the token is of. Leave one of the two out.")
	case len(app) == 0 && at["token"] == nil:
		d.fail(b.DefRange, "No token", "Comments and statuses need an account: token = env(\"NAME\")"+map[string]string{"github": ", or an app block"}[f.Kind]+".")
	}
	d.derive(f, b, at, r.URL)
	if strings.HasPrefix(f.URL, "http://") && !loopback(f.URL) {
		where := b.DefRange
		if at["url"] != nil {
			where = at["url"].Range
		}
		d.warn(where, "The token travels unencrypted", fmt.Sprintf("%s shows the token to everyone on the way. Use https.", f.URL))
	}
	return f
}

// webhookSecret says why no webhook arrives, too.
func (d *decoder) webhookSecret(b *hcl.Block, a, listen *hcl.Attribute) string {
	s := d.secret(a)
	switch {
	case a == nil && listen != nil:
		d.warn(b.DefRange, "Webhooks are off", "Without webhook_secret = env(\"NAME\") this repository takes no webhooks: pull requests are found by polling.")
	case a != nil && listen == nil:
		d.warn(a.NameRange, "Nothing listens", "Webhooks arrive where listen = \"host:port\" says, and it is left out: pull requests are found by polling.")
	case s != "" && strings.TrimSpace(s) == "":
		d.fail(a.Expr.Range(), "Empty secret", "webhook_secret holds nothing but spaces: everyone could sign with it.")
	}
	return s
}

func (d *decoder) app(b *hcl.Block) *App {
	if b == nil {
		return nil
	}
	at := d.content(b.Body, appSchema).Attributes
	app := &App{}
	if at["id"] == nil || at["private_key"] == nil {
		d.fail(b.DefRange, "Half of an app", "An app is its id and its private_key = file(\"path\"), which GitHub makes in the app's settings.")
	}
	app.ID = int64(d.whole(at["id"], 1, math.MaxInt64))
	app.Installation = int64(d.whole(at["installation"], 1, math.MaxInt64))
	if a := at["private_key"]; a != nil {
		key := d.secretBytes(a)
		if key != "" && !isPrivateKey(key) {
			d.fail(a.Expr.Range(), "Not a private key", "private_key is the PEM file that GitHub makes: -----BEGIN RSA PRIVATE KEY-----.")
		}
		app.PrivateKey = []byte(key)
	}
	return app
}

// isPrivateKey tells one PEM block of a private key.
func isPrivateKey(s string) bool {
	block, _ := pem.Decode([]byte(s))
	return block != nil && strings.HasSuffix(block.Type, "PRIVATE KEY")
}
