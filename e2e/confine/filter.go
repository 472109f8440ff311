//go:build linux && (amd64 || arm64)

package confine

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Options are what is refused besides namespaces and mounts.
type Options struct {
	NoLandlock bool // landlock_create_ruleset ends in ENOSYS, as in a kernel without it
	NoFlock    bool // flock ends in ENOTSUP, as on a file system without it; bbolt meets that too
}

// rule refuses one system call with an error; with flags, only when its first argument has one of them.
type rule struct {
	number uint32
	flags  uint32
	errno  unix.Errno
}

const (
	newNamespace = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER |
		unix.CLONE_NEWPID | unix.CLONE_NEWNET
	// For clone the bit of CLONE_NEWTIME is a part of the exit signal.
	unshared = newNamespace | unix.CLONE_NEWTIME
)

func rules(o Options) []rule {
	r := []rule{
		{unix.SYS_CLONE, newNamespace, unix.EPERM},
		// A filter cannot follow clone3's pointer to its flags. ENOSYS has libc try clone instead. Go uses clone3 only
		// for a child in another cgroup or time namespace.
		{unix.SYS_CLONE3, 0, unix.ENOSYS},
		{unix.SYS_UNSHARE, unshared, unix.EPERM},
	}
	for _, number := range []uint32{
		unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT,
		unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOVE_MOUNT,
		unix.SYS_OPEN_TREE, unix.SYS_OPEN_TREE_ATTR, unix.SYS_MOUNT_SETATTR,
	} {
		r = append(r, rule{number, 0, unix.EPERM})
	}
	if o.NoLandlock {
		r = append(r, rule{unix.SYS_LANDLOCK_CREATE_RULESET, 0, unix.ENOSYS})
	}
	if o.NoFlock {
		r = append(r, rule{unix.SYS_FLOCK, 0, unix.ENOTSUP})
	}
	return r
}

// Offsets in struct seccomp_data, see seccomp(2). Both architectures are little-endian: the low half comes first.
const (
	offsetNumber   = 0
	offsetArch     = 4
	offsetFirstArg = 16
)

func program(rules []rule) []unix.SockFilter {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	// jump goes on with the next instruction if the test holds, else skips some.
	jump := func(test uint16, k uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, K: k, Jf: skip}
	}
	end := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	fail := func(errno unix.Errno) unix.SockFilter { return end(unix.SECCOMP_RET_ERRNO | uint32(errno)) }
	allow := end(unix.SECCOMP_RET_ALLOW)

	// The numbers mean something for one architecture alone: any other, a 32-bit program's, can call nothing.
	p := []unix.SockFilter{
		load(offsetArch),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: arch, Jt: 1},
		fail(unix.ENOSYS),
		load(offsetNumber),
		jump(unix.BPF_JGE, x32, 1), // the same calls once more under other numbers
		fail(unix.ENOSYS),
	}
	for _, r := range rules {
		if r.flags == 0 {
			p = append(p, jump(unix.BPF_JEQ, r.number, 1), fail(r.errno))
			continue
		}
		p = append(p, jump(unix.BPF_JEQ, r.number, 4), load(offsetFirstArg), jump(unix.BPF_JSET, r.flags, 1), fail(r.errno), allow)
	}
	return append(p, allow)
}

// Self confines this process, all its threads and all that it starts from now on, for ever.
func Self(o Options) error {
	p := program(rules(o))
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	// no_new_privs is a thread's own, and the filter takes it to the other threads.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return fmt.Errorf("install seccomp filter: %w", errno)
	}
	if thread != 0 {
		return fmt.Errorf("install seccomp filter: thread %d has another one", thread)
	}
	return nil
}
