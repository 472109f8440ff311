package serverconfig

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Lookup reads one environment variable; os.LookupEnv is one.
type Lookup func(name string) (value string, ok bool)

// Load reads the file. The config is nil when any diagnostic is an error;
// warnings come with a config. The files are what the diagnostics quote, with
// everything masked that may be a secret: print those and no other source.
func Load(path string, env Lookup) (*Config, map[string]*hcl.File, hcl.Diagnostics) {
	src, err := readFile(path)
	if err != nil {
		return nil, nil, hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Cannot read the server's configuration",
			Detail:   err.Error() + ". Say -c FILE, or set MOORING_CONFIG.",
		}}
	}
	return Parse(path, src, env)
}

// Parse is Load for a source that is at hand. The path names it in diagnostics
// and is what relative paths in it are resolved against.
func Parse(path string, src []byte, env Lookup) (*Config, map[string]*hcl.File, hcl.Diagnostics) {
	file, diags := hclsyntax.ParseConfig(src, path, hcl.InitialPos)
	files := map[string]*hcl.File{path: {Body: file.Body, Nav: file.Nav, Bytes: Mask(src)}}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, files, diags.Append(&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Cannot find the current directory", Detail: err.Error()})
	}
	d := &decoder{file: abs, dir: filepath.Dir(abs), env: env}
	// A file with syntax errors is decoded as far as it could be read, so that
	// the other mistakes in it are named in the same go.
	c := d.root(file.Body)
	c.Path = abs
	diags = merge(diags, d.diags)
	if diags.HasErrors() {
		return nil, files, diags
	}
	return c, files, diags
}

// merge adds what decoding found to what parsing found, in the file's order,
// without what only echoes a syntax error: a second message for its line, and
// arguments that are missing because the parser gave up before them.
func merge(syntax, decoded hcl.Diagnostics) hcl.Diagnostics {
	broken := map[int]bool{}
	for _, diag := range syntax {
		broken[diag.Subject.Start.Line] = true
	}
	all := syntax
	for _, diag := range decoded {
		if len(syntax) > 0 && (broken[diag.Subject.Start.Line] || diag.Summary == "Missing required argument") {
			continue
		}
		diag.Expression, diag.EvalContext = nil, nil // nothing prints values
		all = append(all, diag)
	}
	slices.SortStableFunc(all, func(a, b *hcl.Diagnostic) int {
		return cmp.Compare(a.Subject.Start.Line, b.Subject.Start.Line)
	})
	return all
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("read %s: it is a directory", path)
	}
	src, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(src) > maxFile {
		return nil, fmt.Errorf("read %s: it is larger than 1 MiB", path)
	}
	return src, nil
}

var rootSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{
		{Name: "data_dir", Required: true}, {Name: "listen"}, {Name: "public_url"}, {Name: "parallel"}, {Name: "grace"},
		{Name: "env"}, {Name: "init_env"}, {Name: "plan_env"}, {Name: "apply_env"}, {Name: "cli_config"},
		{Name: "sandbox"}, {Name: "min_free"}, {Name: "key_file"}, {Name: "heartbeat_url"}, {Name: "heartbeat_every"},
	},
	Blocks: []hcl.BlockHeaderSchema{
		{Type: "terraform"}, {Type: "sandbox"}, {Type: "timeouts"}, {Type: "keep"}, {Type: "sops"}, {Type: "charts"}, {Type: "pages"}, {Type: "pack"}, {Type: "route"}, {Type: "drift"},
		{Type: "repository", LabelNames: []string{"name"}},
		{Type: "cluster", LabelNames: []string{"name"}},
		{Type: "policy", LabelNames: []string{"name"}},
		{Type: "team", LabelNames: []string{"name"}},
		{Type: "notify", LabelNames: []string{"name"}},
		{Type: "credentials", LabelNames: []string{"name"}},
	},
}

func (d *decoder) root(body hcl.Body) *Config {
	content, diags := body.Content(rootSchema)
	d.diags = append(d.diags, diags...)
	at := content.Attributes
	env := d.environments(at)
	c := &Config{
		DataDir:   d.path(at["data_dir"]),
		Listen:    d.listen(at["listen"]),
		PublicURL: d.httpURL(at["public_url"]),
		Parallel:  d.whole(at["parallel"], 1, 1024),
		Grace:     d.duration(at["grace"], DefaultGrace, 0),
		Env:       env.env.names,
		InitEnv:   env.init.names,
		PlanEnv:   env.plan.names,
		ApplyEnv:  env.apply.names,
		CLIConfig: d.existing(at["cli_config"]),
		MinFree:   d.size(at["min_free"], DefaultMinFree),
		KeyFile:   d.keyFile(at["key_file"]),

		PlanValues:  env.plan.values,
		ApplyValues: env.apply.values,
	}
	d.applyAlone(env.apply, env)
	blocks := content.Blocks.ByType()
	c.Timeouts = d.timeouts(d.one(blocks["timeouts"]))
	c.Keep = d.keep(d.one(blocks["keep"]))
	c.Sops = d.sops(d.one(blocks["sops"]))
	c.Charts = d.charts(d.one(blocks["charts"]))
	c.Pack = d.pack(d.one(blocks["pack"]))
	c.Drift = d.drift(d.one(blocks["drift"]))
	c.Heartbeat = d.heartbeat(at)
	pages := d.one(blocks["pages"])
	c.Pages = d.pages(pages)
	d.checkPages(pages, at, c)
	c.Terraform = d.terraform(d.one(blocks["terraform"]))
	sandbox, listed := d.sandbox(at["sandbox"], blocks["sandbox"])
	c.Sandbox = sandbox
	seen, channels := map[string]hcl.Range{}, map[string]hcl.Range{}
	var defaultCluster *hcl.Block
	for _, b := range content.Blocks {
		if len(b.Labels) > 0 && !d.fresh(seen, b) {
			continue
		}
		switch b.Type {
		case "policy":
			c.Policies = append(c.Policies, d.policy(b))
		case "credentials":
			c.Credentials = append(c.Credentials, d.credentialGroup(b))
		case "team":
			c.Teams = append(c.Teams, d.group(b))
		case "notify":
			channels[b.Labels[0]] = b.DefRange
			c.Notify.Channels = append(c.Notify.Channels, d.channel(b))
		case "route":
			c.Notify.Routes = append(c.Notify.Routes, d.route(b))
		case "repository":
			c.Repositories = append(c.Repositories, d.repository(b, env, at["listen"]))
		case "cluster":
			cluster := d.cluster(b)
			if cluster.Default && defaultCluster != nil {
				d.fail(b.DefRange, "Two default clusters", fmt.Sprintf("Cluster %q is the default already (%s). Only one can be.", defaultCluster.Labels[0], place(defaultCluster.DefRange)))
			} else if cluster.Default {
				defaultCluster = b
			}
			c.Clusters = append(c.Clusters, cluster)
		}
	}
	d.checkRepositories(c)
	d.checkRoutes(c.Notify, channels)
	d.checkShown(listed, c)
	d.showMirrors(at["cli_config"], c)
	return c
}

// one returns the only block of a type that may stand once, nil for none.
func (d *decoder) one(blocks hcl.Blocks) *hcl.Block {
	if len(blocks) == 0 {
		return nil
	}
	for _, b := range blocks[1:] {
		d.fail(b.DefRange, fmt.Sprintf("Duplicate %s block", b.Type), fmt.Sprintf("There is one already at %s.", place(blocks[0].DefRange)))
	}
	return blocks[0]
}

// A name becomes a directory below data_dir, a metric's label and a word on the
// command line.
var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// fresh reports whether the block's name is valid and not taken.
func (d *decoder) fresh(seen map[string]hcl.Range, b *hcl.Block) bool {
	name := b.Labels[0]
	if !validName.MatchString(name) {
		d.fail(b.LabelRanges[0], "Invalid name", fmt.Sprintf("A %s's name starts with a letter or digit, holds letters, digits, \".\", \"_\" and \"-\", and has at most 63 of them.", b.Type))
	}
	key := b.Type + " " + name
	if first, twice := seen[key]; twice {
		d.fail(b.LabelRanges[0], "Duplicate "+b.Type, fmt.Sprintf("There is a %s %q already at %s.", b.Type, name, place(first)))
		return false
	}
	seen[key] = b.DefRange
	return true
}

func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }
