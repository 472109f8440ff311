package terraform

import (
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// endOrphans ends what a supervisor that was killed has left alive. In a namespace everything dies with it; elsewhere each descendant has
// the file on which the supervisor held a lock for all of them, and is found by that: no process id is remembered anywhere. It returns when
// nothing holds the lock any more, or after five seconds.
func endOrphans(dir string) error {
	name := filepath.Join(dir, childrenName)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		held, err := lockIsHeld(name)
		if err != nil || !held || time.Now().After(deadline) {
			return err
		}
		for _, p := range holders(name) {
			_ = killHolder(p, name) // gone by itself, at best
		}
	}
}

// holders are the processes that have a file open.
func holders(name string) []int {
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return nil
	}
	var pids []int
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || target != name {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(link))))
		if err == nil && pid != os.Getpid() && pid > 1 {
			pids = append(pids, pid)
		}
	}
	return pids
}
