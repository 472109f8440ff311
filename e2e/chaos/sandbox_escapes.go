package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/runner"
)

// sandboxEscapes plans and applies a workspace that tries to read and change what is not its own, once from HCL's functions
// while it is planned, once from a local-exec. Each attempt is counted: all are refused, in both modes of the sandbox.
func sandboxEscapes(p *play) {
	p.rounds(func(i int) {
		w := p.world(shape{serverHCL: ``, files: map[string]string{"README.md": "nothing\n"}})
		if i%2 == 1 && len(w.wrap) == 0 {
			wrap, err := w.denied()
			w.must(err, "build what denies namespaces")
			w.wrap = wrap
		}
		w.victim()
		w.attack()
		w.done()
	})
}

const defaced = "defaced by the attacker"

// victim fills the world with what is worth stealing: a workspace with a secret in its state, a home with credentials, an
// environment with a token.
func (w *world) victim() {
	w.env = []string{"SECRET_TOKEN=" + canary(w.id+"-env").value(), "CHAOS_DIR=" + w.effects}
	aws := filepath.Join(w.dir, "home", ".aws")
	w.must(os.MkdirAll(aws, 0o700), "make a home")
	w.must(os.WriteFile(filepath.Join(aws, "credentials"), []byte(canary(w.id+"-home").value()), 0o600), "make a home")
	m := module{workspace: "victim", generation: "g1", more: fmt.Sprintf(`
resource "terraform_data" "secret" {
  input = sensitive(%s)
}
`, canary(w.id+"-state").hcl())}
	w.repo.Write("A workspace with a secret", m.files())
	if runs, code := w.sync(); code != 0 {
		w.failf("the victim is not applied, exit %d: %s", code, summary(runs))
	}
}

// attack commits the attacker, has it applied and counts its attempts. One that was not refused ends the round.
func (w *world) attack() {
	shell, hcl := w.attempts()
	// What it writes over the repository stays in a layer of its own; judge looks whether it did.
	script := fmt.Sprintf("for f in ../../README.md ../victim/main.tf; do echo '%s' >> \"$f\"; done 2>/dev/null\n", defaced)
	for _, a := range shell {
		script += fmt.Sprintf("if (%s) >/dev/null 2>&1; then echo 'escaped: %s'; else echo 'refused: %s'; fi >> \"$CHAOS_DIR/attempts\"\n", a.try, a.name, a.name)
	}
	text := `
resource "terraform_data" "attack" {
  provisioner "local-exec" {
    command = "sh ./attack.sh"
  }
}
`
	for _, a := range hcl {
		text += fmt.Sprintf("\noutput %q {\n  value = %s\n}\n", a.name, a.try)
	}
	w.repo.Commit("A workspace that attacks", githttp.Change{Write: map[string]string{"ws/attacker/main.tf": text, "ws/attacker/attack.sh": script}})
	namespace, err := os.Readlink("/proc/self/ns/pid")
	w.must(err, "read the bench's own namespace")
	w.must(os.WriteFile(filepath.Join(w.effects, "pidns"), []byte(namespace+"\n"), 0o644), "tell the bench's namespace")
	s := w.start("serve")
	w.must(os.WriteFile(filepath.Join(w.effects, "pid"), fmt.Appendf(nil, "%d", s.cmd.Process.Pid), 0o644), "tell the runner's pid")
	w.await(limit, "the attack ends", func() bool { return strings.Contains(s.said(), `msg="run ended"`) || s.gone() })
	run := w.history()[0]
	s.drained()
	if u := run.Unit("ws/attacker"); u == nil || u.Status != runner.Applied {
		w.failf("the attacker did not end as it should, so nothing is shown: %s", summary(w.history()[:1]))
	}
	w.judge(shell, hcl)
}

// judge reads what became of every attempt.
func (w *world) judge(shell, hcl []attempt) {
	told := w.read(filepath.Join(w.effects, "attempts"))
	var escaped []string
	for _, a := range shell {
		switch {
		case strings.Contains(told, "escaped: "+a.name+"\n"):
			escaped = append(escaped, a.name+" (local-exec)")
		case !strings.Contains(told, "refused: "+a.name+"\n"):
			escaped = append(escaped, a.name+" (local-exec): it was not even tried")
		}
	}
	state := w.state("attacker") // its outputs, too
	for _, a := range hcl {
		switch {
		case strings.Contains(state, fmt.Sprintf(`"%s":{"type":"bool","value":true}`, a.name)):
			escaped = append(escaped, a.name+" (HCL)")
		case !strings.Contains(state, fmt.Sprintf(`"%s":{"type":"bool","value":false}`, a.name)):
			escaped = append(escaped, a.name+" (HCL): it was not even tried")
		}
	}
	for _, f := range w.files(filepath.Join(w.data, "mirrors"), func(string) bool { return true }) {
		if strings.Contains(w.read(f), defaced) {
			escaped = append(escaped, "write to the checkout, "+f)
		}
	}
	all := len(shell) + len(hcl) + 1
	w.tally[0] += all - len(escaped)
	w.tally[1] += all
	if len(escaped) > 0 {
		w.failf("%d of %d attempts were not refused: %s", len(escaped), all, strings.Join(escaped, ", "))
	}
}
