package terraform

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// abi is a way to call the kernel, and the numbers of the calls that have to do with keys: add_key, request_key and keyctl, which follow
// each other in all of them.
type abi struct{ arch, first, last uint32 }

// abis are the ways on each machine, its own and that of 32-bit programs.
var abis = map[string][]abi{
	"amd64": {{unix.AUDIT_ARCH_X86_64, 248, 250}, {unix.AUDIT_ARCH_I386, 286, 288}},
	"arm64": {{unix.AUDIT_ARCH_AARCH64, 217, 219}, {unix.AUDIT_ARCH_ARM, 309, 311}},
}

// x32 marks a call of a program with short pointers on amd64.
const x32 = 0x40000000

// refuseKeys has the kernel answer this thread, and all that it starts, as if it had no keys. They belong to a user of the machine, in
// whatever namespace: one that a run leaves would be there for another one, and those of Mooring's user could be read.
func refuseKeys() error {
	filter := keyFilter(abis[runtime.GOARCH])
	if filter == nil {
		return nil
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, uintptr(unsafe.Pointer(&program)))
	switch errno {
	case 0, unix.ENOSYS, unix.EINVAL: // a kernel without filters
		return nil
	}
	return errno
}

// keyFilter is the program: nil where the machine's numbers are not known.
func keyFilter(known []abi) []unix.SockFilter {
	const number, arch = 0, 4 // offsets in struct seccomp_data
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	jump := func(test uint16, k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	leave := func(answer uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: answer}
	}
	var program []unix.SockFilter
	for _, a := range known {
		program = append(program,
			load(arch),
			jump(unix.BPF_JEQ, a.arch, 0, 6), // else the next abi
			load(number),
			unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: ^uint32(x32)},
			jump(unix.BPF_JGE, a.first, 0, 2),
			jump(unix.BPF_JGT, a.last, 1, 0),
			leave(unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS)),
			leave(unix.SECCOMP_RET_ALLOW),
		)
	}
	if program != nil {
		program = append(program, leave(unix.SECCOMP_RET_ALLOW))
	}
	return program
}
