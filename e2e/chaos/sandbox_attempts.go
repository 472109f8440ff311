package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// attempt is one thing that a plan must not be able to do. In shell it succeeds with exit 0, in HCL with true.
type attempt struct{ name, try string }

// attempts are what the attacker of a world tries. None of them harms the machine where it succeeds. Names have no quotes:
// they stand in a shell script.
func (w *world) attempts() (shell, hcl []attempt) {
	read := map[string]string{
		"state of another workspace": w.statePath("victim"), "home": w.homeSecret(), "database": filepath.Join(w.data, "mooring.db"),
		"server.hcl": w.config, "what the commands printed": filepath.Join(w.dir, "commands.log"),
	}
	// Patterns below a directory: what an attacker has of its own there is no escape.
	list := map[string][2]string{
		"view of another workspace": {w.data, "views/ws-victim*/**"}, "data of another workspace": {w.data, "tfdata/ws-victim*/**"},
		"kept plans": {w.data, "plans/**"}, "logs of runs": {w.data, "runs/**"}, "mirror": {w.data, "mirrors/*/*/git/**"},
		"remote": {w.repo.Dir, "*"}, "home of root": {"/root", "*"},
	}
	for _, name := range sorted(read) {
		shell = append(shell, attempt{"read " + name, aByte("'" + read[name] + "'")},
			attempt{"write " + name, fmt.Sprintf("test -s '%s' && : >> '%s'", read[name], read[name])})
		hcl = append(hcl, attempt{"read " + name, fmt.Sprintf("try(length(filebase64(%q)) > 0, false)", read[name])})
	}
	for _, name := range sorted(list) {
		dir, pattern := list[name][0], list[name][1]
		shell = append(shell, attempt{"list " + name, fmt.Sprintf("find '%s'/%s -maxdepth 6 -type f -print -quit | grep -q .", dir, strings.TrimSuffix(pattern, "/**"))})
		hcl = append(hcl, attempt{"list " + name, fmt.Sprintf("try(length(fileset(%q, %q)) > 0, false)", dir, pattern)})
	}
	env := canary(w.id + "-env").value()
	hcl = append(hcl, attempt{"environments through /proc", fmt.Sprintf(
		"anytrue([for f in try(fileset(\"/proc\", \"*/environ\"), []) : try(strcontains(file(\"/proc/${f}\"), %q), false)])", env)})
	for i := range hcl { // an output's name is an identifier
		hcl[i].name = identifier(hcl[i].name)
	}
	return append(shell, w.more(env)...), hcl
}

func (w *world) homeSecret() string { return filepath.Join(w.dir, "home", ".aws", "credentials") }

// more are the attempts that only a shell can make.
func (w *world) more(env string) []attempt {
	pid := `$(cat "$CHAOS_DIR/pid")`
	uncover := fmt.Sprintf("sh -c \"cut -d' ' -f5 /proc/self/mountinfo | sort -r | xargs -n1 umount -l; cat '%s'\"", w.homeSecret())
	all := []attempt{
		{"environments through /proc", "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -q " + env},
		{"environment of the runner", "tr '\\0' '\\n' < /proc/" + pid + "/environ | grep -q " + env},
		{"files of the runner through /proc", aByte("/proc/" + pid + "/root" + filepath.Join(w.data, "mooring.db"))},
		{"memory of the runner", aByte("/proc/" + pid + "/maps")},
		{"files through the root of others", "cat /proc/[0-9]*/root" + w.homeSecret() + " | grep -q ."},
		{"key file", fmt.Sprintf("find '%s' -name '*key*' -type f -exec head -c 8 {} + | grep -q .", w.data)},
		{"forge a result", fmt.Sprintf("for d in '%s'/run/*/; do test -f \"${d}run.json\" && echo '{}' >> \"${d}result.json\" && exit 0; done; exit 1", w.data)},
		{"ask the server", fmt.Sprintf("command -v curl || exit 1; curl -sf --unix-socket '%s' http://mooring/v1/runs | grep -q .", filepath.Join(w.data, "mooring.sock"))},
		{"token of the server", aByte("'" + filepath.Join(w.data, "mooring.token") + "'")},
		{"signal the runner", `kill -0 "` + pid + `"`},
		{"trace the runner", `command -v strace || exit 1; timeout 1 strace -qq -o /dev/null -p "` + pid + `"; test $? = 124`},
		{"trace pid 1", `command -v strace || exit 1; timeout 1 strace -qq -o /dev/null -p 1; test $? = 124`},
		{"uncover what is hidden", "unshare -m " + uncover},
		{"uncover it in a namespace of its own", "unshare -Urm " + uncover},
		{"kernel settings", `p=/proc/sys/kernel/core_pattern; was=$(cat $p) && printf '%s' "$was" > $p`}, // the same value again
		{"raw disks", `for d in /dev/vd? /dev/sd? /dev/nvme?n? /dev/mem; do ` + aByte(`"$d"`) + ` && exit 0; done; exit 1`},
		{"make a device", `mknod "$CHAOS_DIR/device" c 1 1 && ` + aByte(`"$CHAOS_DIR/device"`)}, // the machine's memory
	}
	if len(w.wrap) == 0 { // there pid 1 is the supervisor, which the kernel keeps; elsewhere it is the machine's own init
		all = append(all, attempt{"end pid 1", `test "$(readlink /proc/self/ns/pid)" = "$(cat "$CHAOS_DIR/pidns")" && exit 0; kill -KILL 1; ! kill -0 1`})
	}
	return all
}

// aByte succeeds when a byte of a file can be read, whichever it is.
func aByte(file string) string { return `test "$(head -c 1 ` + file + ` | wc -c)" = 1` }

func identifier(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, s)
}
