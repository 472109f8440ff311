package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mooring-iac/mooring/e2e/parts"
	"github.com/mooring-iac/mooring/runner"
)

const (
	hostBefore = "orders.db.internal"
	hostAfter  = "orders-2.db.internal"
)

// story is what the demo tells. Each act checks that what it shows is what it says.
func story(st *stage) {
	firstReconcile(st)
	moved := changeThatReachesTheCluster(st)
	heldDestroy(st)
	revert(st, moved)
	farewell(st)
}

func firstReconcile(st *stage) {
	st.act("1. The first reconcile", "A repository with two root modules and a directory of manifests, and a server.hcl of a few lines.")
	st.person.clone()
	st.typed("cat", "tour/mooring.hcl")
	st.post("", st.person.quiet("show", "HEAD:mooring.hcl"))
	st.typed("cat", "server.hcl")
	config, err := os.ReadFile(st.config)
	st.must(err, "read server.hcl")
	st.post("", string(config))
	st.startServer()
	run := st.await(st.person.head(), runner.Applied)
	st.command("show", run.ID)
	st.expectHost(hostBefore)
}

func changeThatReachesTheCluster(st *stage) (commit string) {
	st.act("2. A change of infrastructure that the manifests see",
		"The database gets another name. Its host is an output, the output is a value of the manifests, and so the ConfigMap\n"+
			"and the Deployment follow. Nobody edits YAML.")
	st.person.edit("infra/database/main.tf", `name        = "orders"`, `name        = "orders-2"`)
	st.person.git("commit", "-qam", "Move orders to the second database")
	commit = st.person.push()
	run := st.await(commit, runner.Applied)
	st.command("show", run.ID)
	st.expectHost(hostAfter)
	return commit
}

func heldDestroy(st *stage) {
	st.act("3. What destroys waits for a person", "The replica is no longer wanted. Mooring plans the change and stops there: auto_apply is no_destroy.")
	st.person.git("rm", "-q", "infra/database/replica.tf")
	st.person.git("commit", "-qm", "Drop the replica")
	run := st.await(st.person.push(), runner.Held)
	st.command("runs")
	st.command("show", run.ID)
	st.say("\nSomebody reads that, and agrees.")
	st.command("approve", run.ID)
	run = st.await(run.Commit, runner.Applied)
	st.command("show", run.ID)
}

func revert(st *stage, commit string) {
	st.act("4. Back", "The second database was a mistake. A rollback is a commit like any other.")
	st.person.git("revert", "--no-edit", commit[:7])
	run := st.await(st.person.push(), runner.Applied)
	st.command("show", run.ID)
	st.expectHost(hostBefore)
}

func farewell(st *stage) {
	st.act("5. What happened", "Everything is in the history, which survives restarts.")
	st.command("runs")
	st.command("locks")
	if st.settings.keep {
		return
	}
	st.typed("kill", strconv.Itoa(st.server.cmd.Process.Pid))
	begin := time.Now()
	st.must(st.stopServer(), "stop the server")
	st.say("  mooring serve ended with exit code 0 after %.1f s.", time.Since(begin).Seconds())
}

// expectHost shows the live objects and checks what they say of the database.
func (st *stage) expectHost(want string) {
	if got := st.showObjects(); got != want {
		st.fail("the live ConfigMap says DB_HOST=%s, and the demo expected %s", got, want)
	}
}

// lookAround says what is up and how to end it.
func (st *stage) lookAround() {
	st.act("It stays up", "Look around:")
	show := func(what, command string) { st.say("  # %s\n  %s", what, command) }
	show("the commands find the server by its configuration", "export MOORING_CONFIG="+st.config+"\n  "+st.mooring+" runs")
	show("push to it, and Mooring follows", "git -C "+st.person.dir+" log --oneline")
	if st.cluster != nil {
		kubectl, err := parts.Kubectl(st.ctx, io.Discard) // the cluster's binary under another name
		st.must(err, "find kubectl")
		show("the cluster's own kubectl", kubectl+" --kubeconfig "+st.cluster.Kubeconfig+" get all -n "+namespace)
	}
	show("the server's own words", "tail -f "+st.logPath())
	st.say("\nStop all of it, and remove %s:\n\n  kill %d", filepath.Dir(st.config), os.Getpid())
}
