package serverconfig

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

var terraformSchema = attributes("path", "releases_url", "public_key")

func (d *decoder) terraform(b *hcl.Block) Terraform {
	at := d.single(b, terraformSchema)
	return Terraform{
		Path:        d.existing(at["path"]),
		ReleasesURL: d.httpURL(at["releases_url"]),
		PublicKey:   string(d.pem(at["public_key"])),
	}
}

var repositorySchema = &hcl.BodySchema{
	Attributes: append([]hcl.AttributeSchema{{Name: "url", Required: true}}, attributes(
		"branch", "poll", "apply", "auto_apply", "require", "direct_push", "username", "token", "ssh_key",
		"ssh_key_passphrase", "known_hosts", "ca_bundle", "review_branches", "drafts", "labels", "forks", "merge", "env", "init_env", "plan_env", "apply_env").Attributes...),
	Blocks: []hcl.BlockHeaderSchema{{Type: "forge", LabelNames: []string{"kind"}}, {Type: "policy"}, {Type: "drift"}},
}

// repository reads one block. The server's listen is nil where nothing listens.
func (d *decoder) repository(b *hcl.Block, server environments, listen *hcl.Attribute) Repository {
	content := d.content(b.Body, repositorySchema)
	at := content.Attributes
	env := d.environments(at)
	r := Repository{
		Name:             b.Labels[0],
		URL:              d.gitURL(at["url"]),
		Branch:           d.branch(at["branch"]),
		Poll:             d.duration(at["poll"], DefaultPoll, minPoll),
		Apply:            d.oneOf(at["apply"], "after_merge", "before_merge", "never"),
		AutoApply:        d.oneOf(at["auto_apply"], "no_destroy", "always", "never"),
		DirectPush:       d.oneOf(at["direct_push"], "apply", "hold"),
		Require:          d.require(at["require"]),
		Reviews:          d.reviews(at),
		Env:              env.env.names,
		InitEnv:          env.init.names,
		PlanEnv:          env.plan.names,
		ApplyEnv:         env.apply.names,
		PlanValues:       env.plan.values,
		ApplyValues:      env.apply.values,
		Username:         d.login(at["username"]),
		Token:            d.secret(at["token"]),
		SSHKey:           []byte(d.secretBytes(at["ssh_key"])),
		SSHKeyPassphrase: d.secret(at["ssh_key_passphrase"]),
		KnownHosts:       d.existing(at["known_hosts"]),
		CABundle:         d.pem(at["ca_bundle"]),
	}
	d.credentials(r, at)
	d.applyAlone(env.apply, env)
	d.applyAlone(env.apply, server)
	d.applyAlone(server.apply, env)
	blocks := content.Blocks.ByType()
	if b := d.one(blocks["policy"]); b != nil {
		r.Policy = d.repositoryPolicy(b)
	}
	drift := d.one(blocks["drift"])
	r.Drift = d.repositoryDrift(drift)
	for i, f := range blocks["forge"] {
		if i > 0 {
			d.fail(f.DefRange, "Two forges", fmt.Sprintf("Repository %q has a forge block already at %s.", r.Name, place(blocks["forge"][0].DefRange)))
			continue
		}
		r.Forge = d.forge(f, r, listen)
	}
	d.checkReviews(r, at)
	d.checkDrift(r, drift)
	return r
}

// credentials says where a credential would be ignored or shown on the wire.
func (d *decoder) credentials(r Repository, at hcl.Attributes) {
	kind := urlKind(r.URL)
	for _, name := range []string{"ssh_key", "ssh_key_passphrase", "known_hosts"} {
		if a := at[name]; a != nil && kind != "ssh" && r.URL != "" {
			d.warn(a.NameRange, "Not used", fmt.Sprintf("%s is for an ssh URL; this one is not.", name))
		}
	}
	for _, name := range []string{"token", "ca_bundle"} {
		if a := at[name]; a != nil && kind != "https" && kind != "http" && r.URL != "" {
			d.warn(a.NameRange, "Not used", fmt.Sprintf("%s is for an http or https URL; this one is not.", name))
		}
	}
	if kind == "ssh" && at["ssh_key"] == nil {
		d.fail(at["url"].Range, "No key for ssh", "An ssh URL needs ssh_key = file(\"path\") or env(\"NAME\"): no agent and no key of the user's is asked.")
	}
	if a := at["token"]; a != nil && kind == "http" && !loopback(r.URL) {
		d.warn(at["url"].Range, "The token travels unencrypted", "An http URL shows the token to everyone on the way. Use https.")
	}
}

func attributes(names ...string) *hcl.BodySchema {
	s := &hcl.BodySchema{}
	for _, n := range names {
		s.Attributes = append(s.Attributes, hcl.AttributeSchema{Name: n})
	}
	return s
}

func (d *decoder) content(body hcl.Body, schema *hcl.BodySchema) *hcl.BodyContent {
	c, diags := body.Content(schema)
	d.diags = append(d.diags, diags...)
	return c
}
