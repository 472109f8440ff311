package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// attempt is one thing that a plan must not be able to do. In shell it succeeds with exit 0, in HCL with true.
type attempt struct{ name, try string }

// attempts are what the attacker of a world tries. None of them harms the machine where it succeeds.
func (w *world) attempts() (shell, hcl []attempt) {
	env, home := canary(w.id+"-env").value(), filepath.Join(w.dir, "home", ".aws", "credentials")
	state, db := w.statePath("victim"), filepath.Join(w.data, "mooring.db")
	read := map[string]string{
		"another workspace's state": state, "the home": home, "the database": db, "server.hcl": w.config,
		"what the commands printed": filepath.Join(w.dir, "commands.log"),
	}
	list := map[string]string{
		"the data directory": w.data, "other views": filepath.Join(w.data, "views"), "kept plans": filepath.Join(w.data, "plans"),
		"logs of runs": filepath.Join(w.data, "runs"), "the remote": w.repo.Dir, "root's home": "/root",
	}
	for _, name := range sorted(read) {
		shell = append(shell, attempt{"read " + name, fmt.Sprintf("head -c 1 '%s' | grep -q .", read[name])})
		hcl = append(hcl, attempt{"read " + name, fmt.Sprintf("try(length(filebase64(%q)) > 0, false)", read[name])})
		if name != "what the commands printed" {
			shell = append(shell, attempt{"write " + name, fmt.Sprintf("test -s '%s' && : >> '%s'", read[name], read[name])})
		}
	}
	for _, name := range sorted(list) {
		shell = append(shell, attempt{"list " + name, fmt.Sprintf("find '%s' -mindepth 1 -type f | grep -q .", list[name])})
		hcl = append(hcl, attempt{"list " + name, fmt.Sprintf("try(length(fileset(%q, \"**\")) > 0, false)", list[name])})
	}
	hcl = append(hcl, attempt{"environments through /proc", fmt.Sprintf(
		"anytrue([for f in try(fileset(\"/proc\", \"*/environ\"), []) : try(strcontains(filebase64(\"/proc/${f}\"), base64encode(\"x\")) || strcontains(file(\"/proc/${f}\"), %q), false)])", env)})
	shell = append(shell, []attempt{
		{"environments through /proc", fmt.Sprintf("cat /proc/*/environ | tr '\\0' '\\n' | grep -q %s", env)},
		{"the runner's environment", fmt.Sprintf("tr '\\0' '\\n' < /proc/$(cat \"$CHAOS_DIR/pid\")/environ | grep -q %s", env)},
		{"the runner's files through /proc", fmt.Sprintf("cat /proc/$(cat \"$CHAOS_DIR/pid\")/root%s", db)},
		{"files through the root of others", fmt.Sprintf("cat /proc/[0-9]*/root%s", home)},
		{"the key file", fmt.Sprintf("find '%s' -name '*key*' -type f -exec head -c 1 {} + | grep -q .", w.data)},
		{"forge a result", fmt.Sprintf("for d in '%s'/run/*/; do echo '{}' >> \"${d}result.json\" && exit 0; done; exit 1", w.data)},
		{"ask the server", fmt.Sprintf("test -S '%s'", filepath.Join(w.data, "mooring.sock"))},
		{"signal the runner", `kill -0 "$(cat "$CHAOS_DIR/pid")"`},
		{"trace pid 1", `command -v strace && timeout 2 strace -qq -o /dev/null -p 1; test $? = 124`},
		{"uncover what is hidden", fmt.Sprintf("unshare -m sh -c \"cut -d' ' -f5 /proc/self/mountinfo | sort -r | xargs -n1 umount -l; cat '%s'\"", home)},
		{"uncover it in a namespace of its own", fmt.Sprintf("unshare -Urm sh -c \"cut -d' ' -f5 /proc/self/mountinfo | sort -r | xargs -n1 umount -l; cat '%s'\"", home)},
		{"kernel settings", `p=/proc/sys/kernel/core_pattern; was=$(cat $p) && printf '%s' "$was" > $p`}, // the same value again
		{"raw disks", `for d in /dev/vd? /dev/sd? /dev/nvme?n? /dev/mem; do head -c 1 "$d" | grep -q . && exit 0; done; exit 1`},
		{"make a device", `mknod "$CHAOS_DIR/device" b 254 0 && head -c 1 "$CHAOS_DIR/device"`},
		{"change the checkout", `for f in "$OLDPWD"/../../README.md; do : >> "$f" && test "$(readlink -f "$f")" != "${f}" && exit 0; done; exit 1`},
	}...)
	if len(w.wrap) == 0 { // pid 1 is the supervisor, and the kernel keeps it; elsewhere it is the machine's own init
		shell = append(shell, attempt{"end pid 1", `kill -KILL 1; ! kill -0 1`})
	}
	for i := range hcl { // an output's name is an identifier
		hcl[i].name = identifier(hcl[i].name)
	}
	return shell, hcl
}

func identifier(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, s)
}
