package terraform

import (
	"bufio"
	"errors"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// stragglers is how long what Terraform left behind may take to end by itself once Terraform has: a provider that is just going. Whatever
// is there then is ended: nothing of a run outlives it, or the lock would say nothing.
const stragglers = time.Second

// reaper waits for processes that Terraform left behind, and ends them. The supervisor is their parent: it is the first process of the
// namespace, or a child subreaper.
type reaper struct {
	namespace bool // every other process that can be seen is a descendant

	mu    sync.Mutex // guards what follows
	tool  int        // the process that terraform-exec waits for; 0 is none
	timer *time.Timer
	ended map[int]bool // what was killed since begin
	// command counts begins and ends: who means to kill says for which command, for by the time it is its turn another one may run.
	command int
}

func newReaper(pids *os.File, namespace bool) *reaper {
	r := &reaper{namespace: namespace, tool: -1} // nothing is told of what runs before the first command
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	go func() {
		for range children {
			r.look()
		}
	}()
	go func() {
		lines := bufio.NewScanner(pids)
		for lines.Scan() {
			if pid, err := strconv.Atoi(lines.Text()); err == nil && pid > 1 {
				r.tell(pid)
				r.look()
			}
		}
	}()
	return r
}

// tell says which process is the tool. Word of one that has been waited for already comes too late.
func (r *reaper) tell(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tool == 0 && !errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil), unix.ECHILD) {
		r.tool = pid
	}
}

// begin says that a command is about to start, and returns its number.
func (r *reaper) begin() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.command++
	r.tool, r.ended = 0, map[int]bool{}
	if r.timer != nil { // of another command
		r.timer.Stop()
		r.timer = nil
	}
	return r.command
}

// look gives what the tool left behind its time once the tool itself has ended, and reaps what was adopted before that. terraform-exec
// waits for the end of its pipes, which such a process may hold open.
func (r *reaper) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tool <= 0 {
		return // whose death it is cannot be told, or end looks itself
	}
	var info unix.Siginfo
	if unix.Waitid(unix.P_PID, r.tool, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) != nil || info.Signo == 0 {
		r.reap()
	} else if r.timer == nil {
		command := r.command
		r.timer = time.AfterFunc(stragglers, func() { r.killAll(command) })
	}
}

// end ends what the command left behind, waits until it is gone, and returns how many processes had to be killed.
func (r *reaper) end() int {
	deadline := time.Now().Add(stragglers)
	for {
		r.mu.Lock()
		r.tool = -1 // terraform-exec has waited for it
		command := r.command
		if r.timer != nil {
			r.timer.Stop()
			r.timer = nil
		}
		killed := len(r.ended)
		alone := errors.Is(unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil), unix.ECHILD)
		if !alone {
			r.reap()
		}
		r.mu.Unlock()
		if alone {
			r.finish()
			return killed
		}
		if time.Now().After(deadline) {
			r.killAll(command)
		}
		time.Sleep(5 * time.Millisecond) // there is no event for the end of a grandchild
	}
}

// finish says that the command is over: nothing is killed for it any more.
func (r *reaper) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.command++
}

// killAll ends everything below the supervisor but the tool, if the command still runs.
func (r *reaper) killAll(command int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.command != command {
		return
	}
	for _, pid := range r.others() {
		if unix.Kill(pid, unix.SIGKILL) == nil {
			r.ended[pid] = true
		}
	}
}

// killTool ends the tool too: it was asked and does not go.
func (r *reaper) killTool(command int) {
	r.killAll(command)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.command == command && r.tool > 1 {
		_ = unix.Kill(r.tool, unix.SIGKILL) // gone already, at best
	}
}

// reap waits for every dead child but the tool. The caller holds mu.
func (r *reaper) reap() {
	for _, p := range processes() {
		if p.parent == os.Getpid() && p.state == "Z" && p.pid != r.tool {
			_, _ = unix.Wait4(p.pid, nil, unix.WNOHANG, nil)
		}
	}
}

// others are the living processes below the supervisor, but for the tool. The caller holds mu.
func (r *reaper) others() []int {
	all := processes()
	below := map[int]bool{os.Getpid(): true}
	for grew := true; grew; {
		grew = false
		for _, p := range all {
			if !below[p.pid] && (below[p.parent] || r.namespace) {
				below[p.pid], grew = true, true
			}
		}
	}
	var pids []int
	for _, p := range all {
		if below[p.pid] && p.pid != os.Getpid() && p.pid != r.tool && p.state != "Z" && p.state != "X" {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

type process struct {
	pid, parent int
	state       string
}

// processes lists what /proc shows.
func processes() []process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil && len(names) == 0 {
		return nil
	}
	var all []process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		// The name of the program, in brackets, may hold anything.
		_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			continue
		}
		parent, err := strconv.Atoi(fields[1])
		if err != nil {
			continue
		}
		all = append(all, process{pid, parent, fields[0]})
	}
	return all
}
