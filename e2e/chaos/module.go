package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// effectScript is what every resource calls: effect.sh WORKSPACE GENERATION RESOURCE SECONDS. It draws the session in the
// TMPDIR that the effects of one process tree share, and appends to the journal that the environment names.
const effectScript = `set -eu
session=${TMPDIR:-/tmp}/chaos-session-$1
if ! [ -s "$session" ]; then
  od -An -N6 -tx1 /dev/urandom | tr -d ' \n' > "$session.$$"
  ln "$session.$$" "$session" 2>/dev/null || :
  rm -f "$session.$$"
fi
run=$2.$(cat "$session")
printf '%s %s %s start %s\n' "$1" "$run" "$3" "$(date +%s.%N)" >> "$CHAOS_JOURNAL"
sleep "$4"
printf '%s %s %s end %s\n' "$1" "$run" "$3" "$(date +%s.%N)" >> "$CHAOS_JOURNAL"
`

// module is a root module whose resources are effects. A new generation replaces all of them.
type module struct {
	workspace  string
	generation string
	resources  []resource
	backend    string // text of a terraform block; "" for none
	chain      bool   // one effect after the other, not all at once
	more       string // text behind it
}

type resource struct {
	name    string
	seconds float64 // how long its effect takes
	command string  // what to run instead of the effect, in shell; "" for the effect
}

// effects draws n effects that take from shortest to longest.
func effects(rng *rand.Rand, n int, shortest, longest time.Duration) []resource {
	var all []resource
	for i := range n {
		d := shortest + time.Duration(rng.Int64N(int64(longest-shortest)+1))
		all = append(all, resource{name: fmt.Sprintf("r%02d", i), seconds: d.Seconds()})
	}
	return all
}

func (m module) text() string {
	var b strings.Builder
	b.WriteString(m.backend)
	fmt.Fprintf(&b, "locals {\n  generation = %q\n}\n", m.generation)
	for i, r := range m.resources {
		command, after := r.command, ""
		if m.chain && i > 0 {
			after = fmt.Sprintf("  depends_on       = [terraform_data.%s]\n", m.resources[i-1].name)
		}
		if command == "" {
			command = fmt.Sprintf("exec sh ./effect.sh %s ${local.generation} %s %.3f", m.workspace, r.name, r.seconds)
		}
		fmt.Fprintf(&b, `
resource "terraform_data" %q {
  input            = { workspace = %q, generation = local.generation }
  triggers_replace = [local.generation]
%s
  provisioner "local-exec" {
    command = %s
  }
}
`, r.name, m.workspace, after, quoteHCL(command))
	}
	return b.String() + m.more
}

// quoteHCL quotes a text that may hold ${…} on purpose.
func quoteHCL(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// files of the module at its directory, which is its name below ws/.
func (m module) files() map[string]string {
	return map[string]string{
		"ws/" + m.workspace + "/main.tf":   m.text(),
		"ws/" + m.workspace + "/effect.sh": effectScript,
	}
}
