package serverconfig

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/mooring-iac/mooring/internal/charts"
)

// Charts says from where Helm charts may come that are not in a repository. The zero value allows none.
type Charts struct {
	Allow       []string
	Credentials map[string]charts.Login // by host
}

var (
	chartsSchema = &hcl.BodySchema{
		Attributes: attributes("allow").Attributes,
		Blocks:     []hcl.BlockHeaderSchema{{Type: "credentials", LabelNames: []string{"host"}}},
	}
	credentialsSchema = attributes("username", "token")
)

func (d *decoder) charts(b *hcl.Block) Charts {
	var c Charts
	if b == nil {
		return c
	}
	content := d.content(b.Body, chartsSchema)
	for _, i := range d.items(content.Attributes["allow"]) {
		if err := charts.CheckPattern(i.text); err != nil {
			d.fail(i.at, "Bad pattern", fmt.Sprintf("Each entry of allow is such as \"oci://HOST/charts/*\" or \"https://HOST/**\": %v.", err))
			continue
		}
		c.Allow = append(c.Allow, i.text)
	}
	for _, one := range content.Blocks {
		host := one.Labels[0]
		if _, twice := c.Credentials[host]; twice {
			d.fail(one.LabelRanges[0], "Duplicate credentials", fmt.Sprintf("There are some for %s already.", host))
		}
		if c.Credentials == nil {
			c.Credentials = map[string]charts.Login{}
		}
		at := d.content(one.Body, credentialsSchema).Attributes
		if at["username"] == nil || at["token"] == nil {
			d.fail(one.DefRange, "Half of the credentials", "Credentials are a username and a token.")
		}
		c.Credentials[host] = charts.Login{Username: d.login(at["username"]), Password: d.secret(at["token"])}
	}
	return c
}
