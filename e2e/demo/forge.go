package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

// botScopes are all that Mooring's token may do at Gitea: docs/review.md says the same.
var botScopes = []string{"write:repository", "write:issue", "read:user", "read:organization"}

// forge is a real Gitea with the people of the story.
type forge struct {
	server     *gitea.Server
	bot        *gitea.Account
	ada, grace *gitea.Account
	shop, dns  *gitea.Repo
	env        []string // secrets of server.hcl
}

// prepareForge builds and starts what the stories of reviews and of drift need. more are files of the repository shop
// besides the example's.
func (st *stage) prepareForge(more map[string]string) {
	root, err := moduleRoot(st.ctx)
	st.must(err, "find the source tree")
	st.say("Preparing the stage in %s.", st.dir)
	st.build()
	st.findTerraform()
	st.must(os.Mkdir(filepath.Join(st.dir, "home"), 0o700), "make a home")
	kubeconfig, clusterContext := st.prepareCluster()

	st.say("Gitea: the real one; the first time, it is built from its Go module, which takes minutes.")
	running, err := gitea.Run(st.ctx, "", gitea.Options{Log: indented{st.out}})
	st.must(err, "start Gitea")
	st.later(func() error { running.Stop(); return nil })
	f := &forge{server: running.For(st)}
	st.forge = f
	f.ada, f.grace, f.bot = f.server.User("ada"), f.server.User("grace"), f.server.User("mooring")
	owner := f.server.User("operator")
	acme := f.server.Organisation(owner, "acme")
	files, err := readTree(filepath.Join(root, "examples", "tour"))
	st.must(err, "read the example")
	for name, text := range more {
		files[name] += text
	}
	f.shop = acme.Repository("shop", files)
	f.dns = acme.Repository("dns", map[string]string{"zones/main.tf": zones("10.20.0.4")})
	for _, repo := range []*gitea.Repo{f.shop, f.dns} {
		repo.Collaborator(f.ada, "write")
		repo.Collaborator(f.grace, "write")
		repo.Collaborator(f.bot, "admin") // Gitea tells nobody else what others may do
	}
	f.env = []string{"GITEA_TOKEN=" + f.server.Token(f.bot, botScopes...), "PAGES_PASSWORD=" + f.bot.Password}
	st.config = filepath.Join(st.dir, "server.hcl")
	st.clusterText = clusterBlock(kubeconfig, clusterContext)
}

// configure writes server.hcl, and shows the part of it that the story is about.
func (st *stage) configure(text string) {
	st.must(os.WriteFile(st.config, []byte(text+st.clusterText), 0o600), "write server.hcl")
	st.typed("cat", "server.hcl")
	st.post("", text)
}

// reviewConfig is the part of server.hcl that the story is about.
func (st *stage) reviewConfig() string {
	var b strings.Builder
	fmt.Fprintf(&b, `data_dir   = %q
listen     = "127.0.0.1:0"
public_url = "https://mooring.example.com"
pages { password = env("PAGES_PASSWORD") }

repository "shop" {
  url             = %q
  username        = %q
  token           = env("GITEA_TOKEN")
  review_branches = ["review/*"]
  forge "gitea" { token = env("GITEA_TOKEN") }
}

repository "dns" {
  url      = %q
  username = %q
  token    = env("GITEA_TOKEN")
  apply    = "before_merge"
  require  = ["approved", "mergeable"]
  merge    = "squash"
  forge "gitea" { token = env("GITEA_TOKEN") }
}

`, filepath.Join(st.dir, "data"), st.forge.shop.URL, st.forge.bot.Login, st.forge.dns.URL, st.forge.bot.Login)
	return b.String()
}

func zones(address string) string {
	return fmt.Sprintf("resource \"terraform_data\" \"www\" {\n  input = { name = \"www.example.com\", address = %q }\n}\n", address)
}

// sync takes one pass of the loop. What waits for a person is no failure here.
func (st *stage) sync() {
	out, err := st.quiet("sync", "-q")
	if err != nil && !strings.Contains(err.Error(), "exit status 2") {
		st.post("", out)
		st.must(err, "mooring sync")
	}
}

// said is the comment that Mooring keeps in a pull request.
func (f *forge) said(p *gitea.Pull) string {
	for _, c := range p.Comments() {
		if c.By.ID == f.bot.ID {
			return c.Body
		}
	}
	return ""
}

// until takes passes until Mooring's comment says something, and shows the comment.
func (st *stage) until(p *gitea.Pull, text string) string {
	said := ""
	for range 8 {
		st.sync()
		if said = st.forge.said(p); strings.Contains(said, text) {
			st.say("\nMooring's comment in %s:", p.Name())
			st.post("", said)
			return said
		}
	}
	st.post("", said)
	st.fail("the comment in %s does not say %q", p.Name(), text)
	return ""
}

// statuses shows what Mooring says of a commit.
func (st *stage) statuses(repo *gitea.Repo, commit string) {
	all := repo.Statuses(commit)
	st.say("\nThe statuses of %.10s:", commit)
	for _, name := range []string{"mooring/plan", "mooring/policy", "mooring/apply"} {
		if s, ok := all[name]; ok {
			st.say("  %-15s %-8s %s", name, s.State, s.Description)
		}
	}
}

// edited is a file of a repository with a text replaced that must be there once.
func (st *stage) edited(repo *gitea.Repo, file, from, to string) map[string]string {
	text := repo.Show(gitea.Branch, file)
	if strings.Count(text, from) != 1 {
		st.fail("%s does not have %q once: the example and the demo have grown apart", file, from)
	}
	return map[string]string{file: strings.Replace(text, from, to, 1)}
}
