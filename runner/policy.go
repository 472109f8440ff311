package runner

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/policies/bundle"
	"github.com/mooring-iac/mooring/policies/engine"
	"github.com/mooring-iac/mooring/policies/pack"
	"github.com/mooring-iac/mooring/workspace"
)

// judge decides over what a commit would do, by the server's rules and by those of one
// commit of the branch: a head does not make its own.
type judge struct {
	plans  *engine.Engine // nil where there is no rule
	sets   *engine.Engine // the same rules, with those of the pack about objects in place of those about plans
	broken error          // why the rules cannot be asked: then nothing passes
}

// digest stands for everything that decides; "" where there is no rule.
func (j judge) digest() string {
	switch {
	case j.broken != nil:
		return "broken"
	case j.plans == nil:
		return ""
	}
	return j.plans.Digest() + j.sets.Digest()
}

// asks tells whether there is anything to be asked.
func (j judge) asks() bool { return j.plans != nil || j.broken != nil }

// plan says what the rules say of a plan; nil where there are none.
func (j judge) plan(ctx context.Context, p *tfjson.Plan, facts policies.Facts) *policies.Verdict {
	return j.ask(func() policies.Verdict {
		data, err := json.Marshal(p)
		if err != nil {
			return engine.Broken(fmt.Errorf("read the plan: %w", err))
		}
		return j.plans.Plan(ctx, data, facts)
	})
}

// manifests says what the rules say of a set's objects and of what becomes of them; nil
// where there are none.
func (j judge) manifests(ctx context.Context, objects []map[string]any, changes engine.ChangeSet, facts policies.Facts) *policies.Verdict {
	return j.ask(func() policies.Verdict { return j.sets.Manifests(ctx, objects, changes, facts) })
}

// ask has the rules say something, where there are any and they can be asked.
func (j judge) ask(rules func() policies.Verdict) *policies.Verdict {
	if !j.asks() {
		return nil
	}
	said := engine.Broken(j.broken)
	if j.broken == nil {
		said = rules()
	}
	said = said.Bounded(mostFindings, longestFinding)
	return &said
}

// What is kept of a verdict in the journal, however much rules say.
const (
	mostFindings   = 500
	longestFinding = 4000 // bytes
)

// judges keeps the last rules of a repository, compiled.
type judges struct {
	mu   sync.Mutex
	key  string // digest of the sources that last was made of
	last judge
}

// judge reads the rules that hold for a repository at a commit of its branch.
func (r *Runner) judge(ctx context.Context, repo *repository, commit string) judge {
	g, key, err := r.gather(ctx, repo, commit)
	defer g.end()
	if err != nil {
		return judge{broken: err}
	}
	repo.judges.mu.Lock()
	defer repo.judges.mu.Unlock()
	if repo.judges.key == key {
		return repo.judges.last
	}
	made := g.load(ctx)
	if ctx.Err() != nil {
		return judge{broken: ctx.Err()}
	}
	repo.judges.key, repo.judges.last = key, made
	return made
}

// gather reads the rules that hold for a repository at a commit of its branch; the digest stands for all of them. What is
// returned wants its end also with an error.
func (r *Runner) gather(ctx context.Context, repo *repository, commit string) (g *gathering, digest string, err error) {
	g = &gathering{opts: &r.opts, cache: filepath.Join(r.opts.DataDir, "policies"), repository: repo.cfg.Name, own: repo.cfg.Policies}
	if err := g.at(ctx, repo, commit); err != nil {
		return g, "", err
	}
	digest, err = g.digest()
	return g, digest, err
}

// rulesAt is the digest of the rules that hold for a repository at a commit of its branch. Those that cannot be read have one
// of their own: with them nothing passes.
func (r *Runner) rulesAt(ctx context.Context, repo *repository, commit string) string {
	g, digest, err := r.gather(ctx, repo, commit)
	defer g.end()
	if err != nil {
		return "broken"
	}
	return digest
}

// at reads all rules that judge a repository, its own as one commit has them.
func (g *gathering) at(ctx context.Context, repo *repository, commit string) error {
	if err := g.server(ctx); err != nil {
		return err
	}
	has, err := repo.hasPolicies(commit, g.own.dir())
	if err != nil {
		return fmt.Errorf("look for the policies of %s: %w", short(commit), err)
	}
	root := ""
	if has {
		tree, err := g.checkouts.get(ctx, repo, commit)
		if err != nil {
			return err
		}
		root = tree.Dir
	}
	return g.repositorys(root)
}

// load compiles what was read: for plans and for sets, which the pack has different rules for.
func (g *gathering) load(ctx context.Context) (j judge) {
	if len(g.all) == 0 && g.settings == nil {
		return judge{}
	}
	for kind, to := range map[pack.Kind]**engine.Engine{pack.Terraform: &j.plans, pack.Kubernetes: &j.sets} {
		all := g.all
		if g.settings != nil {
			all = append([]engine.Source{{Name: "pack of Mooring", Files: pack.FilesOf(kind), Namespaces: []string{"*"}, Settings: g.settings}}, all...)
		}
		made, err := engine.Load(ctx, all, engine.Options{})
		if err != nil {
			return judge{broken: err}
		}
		*to = made
	}
	return j
}

// gathering reads the sources of rules one after the other.
type gathering struct {
	opts       *Options
	cache      string // a directory in which bundles are kept
	repository string
	own        RepositoryPolicies
	all        []engine.Source
	settings   map[string]any // of the pack; nil where that is not asked
	roots      []*os.Root
	checkouts  mirrorCheckouts
}

func (g *gathering) end() {
	g.checkouts.release()
	for _, root := range g.roots {
		_ = root.Close() // it was only read
	}
}

// open is a directory out of which no link leads.
func (g *gathering) open(dir string) (fs.FS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	g.roots = append(g.roots, root)
	return root.FS(), nil
}

// server adds the rules of the pack and of the operator.
func (g *gathering) server(ctx context.Context) error {
	if g.opts.Pack.Enabled && includes(g.opts.Pack.Repositories, g.repository) {
		var err error
		if g.settings, err = g.opts.Pack.settings(); err != nil {
			return fmt.Errorf("the pack: %w", err)
		}
	}
	for _, c := range g.opts.Policies {
		if !includes(c.Repositories, g.repository) {
			continue
		}
		files, err := g.files(ctx, c)
		if err != nil {
			return fmt.Errorf("policy %q of the server: %w", c.Name, err)
		}
		g.all = append(g.all, engine.Source{Name: "policy " + strconv.Quote(c.Name) + " of the server", Dir: c.Dir, Files: files, Namespaces: c.Namespaces, V0: c.V0, Required: c.Required})
	}
	return nil
}

func (g *gathering) files(ctx context.Context, c PolicyConfig) (fs.FS, error) {
	if c.Bundle == nil {
		return g.open(c.Dir)
	}
	client, err := c.Bundle.client()
	if err != nil {
		return nil, err
	}
	b, err := bundle.Source{
		Location: c.Bundle.URL, PublicKeys: c.Bundle.Keys, Algorithm: c.Bundle.Algorithm, Scope: c.Bundle.Scope, V0: c.V0,
		Cache: g.cache, AllowOlder: c.Bundle.AllowOlder, MaxAge: c.Bundle.MaxAge, Client: client, Now: g.opts.Now,
	}.Load(ctx)
	if err == nil && b.Stale != nil {
		g.opts.Log.Warn("the last good bundle of a policy is used: a newer one cannot be had", "policy", c.Name, "checked", b.Checked.UTC().Format(time.RFC3339), "error", b.Stale)
	}
	return b.Files, err
}

// client asks with the operator's token and trusts their authorities; nil is an ordinary one.
func (b *BundleConfig) client() (*http.Client, error) {
	if b.Token == "" && len(b.CABundle) == 0 {
		return nil, nil
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if len(b.CABundle) > 0 {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(b.CABundle) {
			return nil, errors.New("ca_bundle has no certificate")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	at, err := url.Parse(b.URL)
	if err != nil {
		return nil, err
	}
	return &http.Client{Timeout: bundleTimeout, Transport: bearer{token: b.Token, host: at.Host, next: transport}}, nil
}

// bundleTimeout bounds how long a bundle may take.
const bundleTimeout = 30 * time.Second

// bearer adds a token to what goes to one host: where that sends the request elsewhere the
// token stays.
type bearer struct {
	token, host string
	next        http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" && r.URL.Scheme == "https" && r.URL.Host == b.host {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(r)
}

// repositorys adds the repository's own rules, which lie below root; "" where it has none.
func (g *gathering) repositorys(root string) error {
	source := engine.Source{Name: "policies of the repository", Dir: g.own.dir(), Namespaces: g.own.Namespaces, V0: g.own.V0, Required: g.own.Required, Files: embed.FS{}}
	if root == "" && !g.own.Required {
		return nil
	}
	if root != "" {
		var err error
		if source.Files, err = g.open(filepath.Join(root, filepath.FromSlash(g.own.dir()))); err != nil {
			return fmt.Errorf("read the repository's policies: %w", err)
		}
	}
	g.all = append(g.all, source)
	return nil
}

// hasPolicies tells whether a commit has rules in a directory.
func (repo *repository) hasPolicies(commit, dir string) (bool, error) {
	tree, err := repo.mirror.Tree(commit)
	if err != nil {
		return false, err
	}
	return hasRules(tree, dir)
}

// hasRules tells whether there is a rule below a directory: many a repository has one that is
// called policy and holds something else.
func hasRules(tree workspace.Tree, dir string) (found bool, err error) {
	err = tree.Walk(func(path string, _ fs.FileMode, _ string) error {
		if strings.HasPrefix(path, dir+"/") && strings.HasSuffix(path, ".rego") {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	if errors.Is(err, fs.SkipAll) {
		err = nil
	}
	return found, err
}

// digest stands for everything that was read.
func (g *gathering) digest() (string, error) {
	h := sha256.New()
	settings, err := json.Marshal(g.settings)
	if err != nil {
		return "", fmt.Errorf("the pack: %w", err)
	}
	fmt.Fprintf(h, "%t %s\n", g.settings != nil, settings)
	for _, s := range g.all {
		fmt.Fprintf(h, "%q %q %t %t\n", s.Name, s.Namespaces, s.V0, s.Required)
		err := fs.WalkDir(s.Files, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := fs.ReadFile(s.Files, path)
			fmt.Fprintf(h, "%q %d\n%s", path, len(data), data)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// settings are what the operator tunes the pack by.
func (p PackConfig) settings() (map[string]any, error) {
	tuned := map[string]pack.Tuning{}
	for id, s := range p.Settings {
		t := pack.Tuning{Settings: map[string]any{}}
		for name, value := range s {
			if effect, ok := value.(string); ok && name == "effect" {
				t.Effect = policies.Effect(effect)
				continue
			}
			t.Settings[name] = value
		}
		tuned[id] = t
	}
	return pack.Settings(tuned)
}

func (p RepositoryPolicies) dir() string {
	if p.Dir == "" {
		return "policy"
	}
	return p.Dir
}

// rules are those that a run goes by: of the commit of the branch that a pull request was
// planned against, or of the one that is taken.
func (x *execution) rules(ctx context.Context) judge {
	x.ruled.Do(func() {
		commit := x.run.Base
		if commit == "" {
			commit = x.run.Commit
		}
		x.by = x.r.judge(ctx, x.repo, commit)
	})
	return x.by
}

// facts are what rules may know of a unit of the run.
func (x *execution) facts(t task) policies.Facts {
	u, run := t.unit, x.run
	f := policies.Facts{
		Repository: run.Repository, Unit: u.ID, Kind: string(u.Kind), Dir: u.Dir, Workspace: u.Workspace, Cluster: u.Cluster,
		Trigger: string(run.Trigger), Branch: x.repo.cfg.Branch, Head: run.Branch, Commit: run.Commit, PullRequest: run.PullRequest, Author: run.Author,
		Changed: slices.Clone(x.changed), Approvals: []policies.Approval{}, Removal: t.removal,
	}
	if Kind(u.Kind) == KindManifests {
		f.Dir = u.Path
	}
	if f.Changed == nil {
		f.Changed = x.changedSince(t)
	}
	f.Drift = x.r.driftFacts(run.Repository, u.ID)
	for _, y := range t.yes {
		f.Approvals = append(f.Approvals, policies.Approval{By: y.Login, At: y.At})
	}
	return f
}

// changedSince are the files that differ from the unit's last converged commit; none
// where it has none, and all where that cannot be told: a rule about a file must not pass for that.
func (x *execution) changedSince(t task) []string {
	since := x.recall(t.unit.ID).Converged
	if since == "" {
		return []string{}
	}
	paths, err := x.repo.mirror.Changes(since, x.commit())
	if err == nil {
		return paths
	}
	all := []string{}
	if tree, err := x.repo.mirror.Tree(x.commit()); err == nil {
		_ = tree.Walk(func(p string, _ fs.FileMode, _ string) error { all = append(all, p); return nil }) // what is read before it fails counts
	}
	return all
}
