package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/mooring-iac/mooring/e2e/githttp"
)

// person has a clone of the repository and works in it.
type person struct {
	stage *stage
	dir   string // of the clone
}

// git runs a git command in the clone, shows it as typed, and returns its output.
func (p *person) git(args ...string) string {
	p.stage.typed(append([]string{"git"}, args...)...)
	return p.quiet(args...)
}

func (p *person) quiet(args ...string) string {
	out, err := githttp.Git{Dir: p.dir}.Run(p.stage.ctx, args...)
	p.stage.must(err, "git "+strings.Join(args, " "))
	return out
}

func (p *person) clone() {
	p.stage.typed("git", "clone", p.stage.remote, "tour")
	p.stage.must(os.Mkdir(p.dir, 0o755), "make the clone's directory")
	p.quiet("clone", "--quiet", p.stage.remote, ".")
	p.stage.post("", p.quiet("ls-files"))
}

// edit replaces a text in a file, which must be there once, and shows the difference.
func (p *person) edit(file, from, to string) {
	path := filepath.Join(p.dir, filepath.FromSlash(file))
	b, err := os.ReadFile(path)
	p.stage.must(err, "read "+file)
	if strings.Count(string(b), from) != 1 {
		p.stage.fail("%s does not have %q once: the example and the demo have grown apart", file, from)
	}
	p.stage.must(os.WriteFile(path, []byte(strings.Replace(string(b), from, to, 1)), 0o600), "write "+file)
	p.stage.typed("vi", file)
	p.stage.typed("git", "diff")
	p.stage.post("", p.quiet("diff", "--unified=1"))
}

// push pushes main and returns the commit.
func (p *person) push() string {
	p.git("push")
	commit := p.head()
	p.stage.say("  %.7s is on main.", commit)
	return commit
}

func (p *person) head() string { return p.quiet("rev-parse", "HEAD") }
