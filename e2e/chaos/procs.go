package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// proc is a process as /proc shows it at one moment.
type proc struct {
	pid, parent int
	state       byte   // R, S, T, Z, …
	started     uint64 // clock ticks after boot: with the pid it names a process for good
	argv        []string
}

// processes lists all. One that ends while it is read is left out.
func processes() []proc {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var all []proc
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := readProc(pid); ok {
			all = append(all, p)
		}
	}
	return all
}

func readProc(pid int) (proc, bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return proc{}, false
	}
	p, ok := parseStat(string(stat))
	if !ok {
		return proc{}, false
	}
	cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return proc{}, false
	}
	if len(cmdline) > 0 {
		p.argv = strings.Split(strings.TrimSuffix(string(cmdline), "\x00"), "\x00")
	}
	return p, true
}

// parseStat reads /proc/<pid>/stat. The name in brackets may hold anything, brackets too.
func parseStat(text string) (proc, bool) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 1 || end < open {
		return proc{}, false
	}
	f := strings.Fields(text[end+1:])
	if len(f) < 20 {
		return proc{}, false
	}
	pid, err1 := strconv.Atoi(strings.TrimSpace(text[:open]))
	parent, err2 := strconv.Atoi(f[1])
	started, err3 := strconv.ParseUint(f[19], 10, 64)
	return proc{pid: pid, parent: parent, state: f[0][0], started: started}, err1 == nil && err2 == nil && err3 == nil
}

// below returns the processes of all whose ancestors include one of roots, without the roots.
func below(all []proc, roots ...int) []proc {
	in := map[int]bool{}
	for _, r := range roots {
		in[r] = true
	}
	var found []proc
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if in[p.parent] && !in[p.pid] {
				in[p.pid], grown = true, true
				found = append(found, p)
			}
		}
	}
	return found
}

// supervisors returns the processes that supervise a run directory below data.
func supervisors(all []proc, data string) []proc {
	var found []proc
	for _, p := range all {
		i := slices.Index(p.argv, "supervise")
		if i > 0 && slices.ContainsFunc(p.argv[i+1:], func(a string) bool { return strings.HasPrefix(a, data+"/") }) {
			found = append(found, p)
		}
	}
	return found
}

// withEnv returns the processes that have NAME=value in their environment. One whose environment may not be read has not.
func withEnv(all []proc, variable string) []proc {
	var found []proc
	for _, p := range all {
		env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "environ"))
		if err == nil && bytes.Contains(append([]byte{0}, env...), []byte("\x00"+variable+"\x00")) {
			found = append(found, p)
		}
	}
	return found
}

// members are all processes of a world: those with its mark in their environment, its supervisors, and all below either.
// The bench itself and zombies, which can do nothing any more, are not among them.
func (w *world) members() []proc {
	all := processes()
	seen, found := map[int]bool{os.Getpid(): true}, []proc{}
	add := func(some []proc) {
		for _, p := range some {
			if !seen[p.pid] && p.state != 'Z' {
				seen[p.pid] = true
				found = append(found, p)
			}
		}
	}
	add(withEnv(all, "CHAOS_WORLD="+w.id))
	add(supervisors(all, w.data))
	for _, s := range w.servers {
		if p, ok := s.proc(); ok {
			add([]proc{p})
		}
	}
	roots := []int{}
	for _, p := range found {
		roots = append(roots, p.pid)
	}
	add(below(all, roots...))
	return found
}

// signal sends a signal to the very process that was seen, and to none that has its pid now.
func (p proc) signal(s unix.Signal) {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return // gone
	}
	defer unix.Close(fd)
	if now, ok := readProc(p.pid); ok && now.started == p.started {
		_ = unix.PidfdSendSignal(fd, s, nil, 0) // gone meanwhile
	}
}

// kill ends processes in one blow: they are stopped first, again and again until no new one shows, so that none can start
// another or write on while its neighbours die. It answers whom.
func (w *world) kill(which func() []proc) []proc {
	stopped := map[int]uint64{}
	var all []proc
	for grown := true; grown; {
		grown = false
		for _, p := range which() {
			if stopped[p.pid] != p.started {
				stopped[p.pid], grown = p.started, true
				p.signal(unix.SIGSTOP)
				all = append(all, p)
			}
		}
	}
	for _, p := range all {
		p.signal(unix.SIGKILL)
	}
	return all
}

// effectOf names the effect that a process is: one that died before it could say so in the journal was cut off all the same.
func effectOf(p proc) (e effect, workspace string, ok bool) {
	words := strings.Fields(strings.Join(p.argv, " ")) // also of a shell that has not become it yet: sh -c "exec sh ./effect.sh …"
	i := slices.Index(words, "./effect.sh")
	if i < 0 || len(words) < i+4 {
		return effect{}, "", false
	}
	return effect{words[i+2], words[i+3]}, words[i+1], true
}

func describe(all []proc) string {
	var b strings.Builder
	for _, p := range all {
		b.WriteString("\n    " + strconv.Itoa(p.pid) + " " + string(p.state) + " " + clip(strings.Join(p.argv, " ")))
	}
	return b.String()
}
