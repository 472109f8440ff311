package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

// desk is a repository on a real Gitea, and a running Mooring that reviews its pull requests and has applied its branch.
type desk struct {
	*stand
	workspaces int
	module     func(i, version int) string
	version    int
	repo       *gitea.Repo
	author     *gitea.Account
	hooks      *relay // between Gitea and Mooring's door
	api        *relay // between Mooring and Gitea's API
}

// atDesk has something done at a desk of its own, with a Gitea of its own. The lines are added to server.hcl.
func (b *bench) atDesk(ctx context.Context, workspaces int, module func(i, version int) string, do func(*desk), lines ...string) error {
	running, err := gitea.Run(ctx, "", gitea.Options{Log: os.Stderr})
	if err != nil {
		return err
	}
	defer running.Stop()
	return b.attempt(ctx, func(s *stand) {
		d := &desk{stand: s, workspaces: workspaces, module: module}
		server := running.For(s)
		owner, bot := server.User("owner"), server.User("mooring")
		d.author = server.User("ada")
		d.repo = server.Repository(owner, "infra", d.files(all(workspaces)))
		d.repo.Collaborator(bot, "admin")
		d.repo.Collaborator(d.author, "write")

		free, err := net.Listen("tcp", "127.0.0.1:0")
		s.must(err)
		listen := free.Addr().String()
		s.must(free.Close())
		d.hooks, err = newRelay("http://" + listen)
		s.must(err)
		s.Cleanup(d.hooks.Close)
		d.api, err = newRelay(running.URL)
		s.must(err)
		s.Cleanup(d.api.Close)

		data := filepath.Join(s.TempDir(), "data")
		config := data + ".hcl"
		text := fmt.Sprintf(`data_dir   = %q
listen     = %q
public_url = "http://127.0.0.1"
%s
repository "infra" {
  url        = %q
  branch     = %q
  poll       = "1h"
  auto_apply = "always"
  username   = %q
  token      = env("BENCH_TOKEN")
  forge "gitea" {
    url            = %q
    repository     = %q
    token          = env("BENCH_TOKEN")
    webhook_secret = env("BENCH_SECRET")
  }
}
`, data, listen, strings.Join(lines, "\n"), d.repo.URL, gitea.Branch, bot.Login, d.api.URL, d.repo.FullName())
		s.must(os.WriteFile(config, []byte(text), 0o600))
		const secret = "of no use to anybody"
		defer func(env []string) { b.env = env }(b.env)
		b.env = append(b.env[:len(b.env):len(b.env)], "BENCH_TOKEN="+bot.Token, "BENCH_SECRET="+secret)
		mooring, err := b.serve(ctx, config)
		s.must(err)
		s.Cleanup(mooring.stop)
		_, err = b.exec(ctx, b.dir, b.mooring, "sync", "-c", config)
		s.must(err)
		// Of these events alone: the push of a branch for which there is no pull request yet hints at nothing, so that
		// nothing is seen before the webhook that counts.
		d.repo.Webhook(d.hooks.URL+"/hooks/infra", secret, "pull_request", "pull_request_sync")
		do(d)
	})
}

// quiet waits until Mooring has asked the forge nothing for a while, and forgets what was.
func (d *desk) quiet() {
	for {
		d.api.forget()
		time.Sleep(300 * time.Millisecond)
		if requests, _ := d.api.now(); len(requests) == 0 {
			d.hooks.forget()
			return
		}
	}
}

// files is the next version of some workspaces.
func (d *desk) files(which []int) map[string]string {
	d.version++
	files := map[string]string{}
	for _, i := range which {
		files[fmt.Sprintf("ws/w%02d/main.tf", i)] = d.module(i, d.version)
	}
	return files
}

// proposed is a pull request whose report was posted.
type proposed struct {
	*gitea.Pull
	branch, head string
	took         time.Duration
}

// propose opens a pull request that touches some workspaces, and waits for its report.
func (d *desk) propose(which []int) proposed {
	p := proposed{branch: fmt.Sprintf("topic-%d", d.version)}
	p.head = d.repo.Push(d.author, p.branch, "Change", d.files(which))
	d.quiet()
	p.Pull = d.repo.Open(d.author, p.branch, gitea.Branch, "Change")
	p.took = d.report(p.head, "opened", len(which))
	return p
}

// push adds a commit to a pull request, and waits for the report of it.
func (d *desk) push(p proposed, which []int) time.Duration {
	d.quiet()
	head := d.repo.Push(d.author, p.branch, "Change again", d.files(which))
	return d.report(head, "synchronized", len(which))
}

// report is how long after a webhook the report of a head was there, with at least so many units planned in it.
func (d *desk) report(head, action string, units int) time.Duration {
	began, err := d.hooks.await("a webhook that says "+action, func(p passed) bool {
		return strings.Contains(p.body, `"action": "`+action+`"`) || strings.Contains(p.body, `"action":"`+action+`"`)
	})
	d.must(err)
	posted, err := d.api.await("a comment about "+head, func(p passed) bool {
		return p.method != http.MethodGet && strings.Contains(p.path, "/comments") && strings.Contains(p.body, head[:7])
	})
	d.must(err)
	if strings.Contains(posted.body, "failed") || strings.Count(posted.body, "ws/w") < units {
		d.Fatalf("the comment is no plan of %d units:\n%s", units, posted.body)
	}
	requests, _ := d.api.now()
	from := began.came
	if look := lookThatFound(head, requests); look.Before(from) {
		from = look
	}
	return posted.done.Sub(from)
}

// lookThatFound is when Mooring began the look after which it first named a head. It may look by itself before a webhook
// arrives, which counts against it.
func lookThatFound(head string, requests []passed) time.Time {
	var look time.Time
	for _, p := range requests {
		if strings.HasSuffix(p.path, "/statuses/"+head) || strings.Contains(p.body, head[:7]) {
			break
		}
		if p.method == http.MethodGet && strings.HasSuffix(p.path, "/pulls") {
			look = p.came
		}
	}
	return look
}

// close closes a pull request and waits until Mooring has settled it.
func (d *desk) close(p proposed) {
	d.api.forget()
	p.Close(d.author)
	_, err := d.api.await("the last status", func(p passed) bool {
		return p.method == http.MethodPost && strings.Contains(p.path, "/statuses/") && strings.Contains(p.body, "mooring/apply")
	})
	d.must(err)
}

// rounds measures pull requests that touch all workspaces, and the bare commands for the same heads, in turn.
func (d *desk) rounds(n int) (ours, theirs []time.Duration) {
	which := all(d.workspaces)
	for range n {
		p := d.propose(which)
		d.close(p)
		ours = append(ours, p.took)
		theirs = append(theirs, d.bareCommands(p, which))
	}
	return ours, theirs
}

// bareCommands is what a person would type to see the plans: a clone of the head, and three commands in each workspace,
// two at a time.
func (d *desk) bareCommands(p proposed, which []int) time.Duration {
	dir := filepath.Join(d.TempDir(), "repo")
	defer os.RemoveAll(filepath.Dir(dir))
	script := `git -c http.extraHeader="Authorization: token $1" clone -q -b "$2" "$3" "$4" && cd "$4" && shift 4 && printf '%s\n' "$@" | xargs -P2 -I{} sh -ec '
		cd {}
		terraform init -input=false >init.log
		terraform plan -input=false -out=p >plan.log
		terraform show -json p >p.json'`
	argv := []string{"sh", "-ec", script, "sh", d.author.Token, p.branch, d.repo.URL, dir}
	for _, i := range which {
		argv = append(argv, fmt.Sprintf("ws/w%02d", i))
	}
	took, err := d.b.exec(d.ctx, d.b.dir, argv...)
	d.must(err)
	return took
}
