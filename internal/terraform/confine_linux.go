package terraform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	landlock "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// harden keeps processes of the same user from reading this one's memory and environment, or taking its descriptors.
func harden() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// keepDescriptors has every descriptor from first on closed in what this process starts.
func keepDescriptors(first uint) {
	_ = unix.CloseRange(first, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC) // an older kernel than 5.11 does not know it
}

// reserve takes room for a file without writing it.
func reserve(file *os.File, size int64) error { return unix.Fallocate(int(file.Fd()), 0, 0, size) }

// Harden does that for the runner: it holds every credential of the server. A process of an ordinary user that did it can start nothing in
// namespaces any more: the files in /proc with which it maps users of a new one belong to root then.
func Harden() error { return harden() }

// attributes start a supervisor: in a session of its own, so that no signal of a terminal or of a process group reaches it, and in new
// namespaces where those are wanted.
func attributes(mode string) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true}
	if mode == modeNamespaces {
		a.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS
		// The same user inside: programs find themselves in /etc/passwd, and files belong to whom they belong.
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
		// What building the file system needs; a user that is not root would lose it with the start. The thread of a run drops it before
		// anything else starts.
		a.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP, unix.CAP_SYS_CHROOT}
	}
	return a
}

// settle makes ready a process that will confine its threads: in namespaces it sees its own processes in /proc. Its mounts follow those
// outside, which nobody there sees: a file system that is unmounted there is not kept busy here.
func settle(mode string) error {
	if mode != modeNamespaces {
		return nil
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return nil
}

// confine puts the calling thread into its confinement, and with it all that it starts. children is what every descendant shall have open;
// nil in namespaces.
func confine(c *confinement, children *os.File) error {
	switch c.Mode {
	case modeNamespaces:
		if err := enterRoot(c); err != nil {
			return fmt.Errorf("make the namespace: %w", err)
		}
	default:
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("become a subreaper: %w", err)
		}
		// Every descendant inherits this descriptor, and with it the lock.
		if _, err := unix.FcntlInt(children.Fd(), unix.F_SETFD, 0); err != nil {
			return err
		}
		if err := unix.Flock(int(children.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return err
		}
	}
	if c.Mode == modeNone {
		return nil
	}
	if err := dropPrivileges(); err != nil {
		return fmt.Errorf("drop privileges: %w", err)
	}
	if c.Mode == modeLandlock {
		if err := restrict(c.Paths); err != nil {
			return fmt.Errorf("landlock: %w", err)
		}
		return nil
	}
	if err := restrictScope(); err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	return nil
}

// dropPrivileges makes sure that nothing this thread starts ever has a capability, whatever its user is and whatever it executes, or a key of
// the kernel. With a capability it could undo the mounts of its namespace.
func dropPrivileges() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := refuseKeys(); err != nil {
		return fmt.Errorf("keep out of the kernel's keys: %w", err)
	}
	for cap := uintptr(0); cap <= 63; cap++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, cap, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			break // the last one was before
		}
		if errors.Is(err, unix.EPERM) && os.Geteuid() != 0 {
			break // a user without privileges has none to lose: with no_new_privs no program gives any
		}
		if err != nil {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}

// enterRoot builds a file system of only what is to be seen, and makes it the root of this thread. Its mounts, host name and System V objects
// end with the thread and what it started.
func enterRoot(c *confinement) error {
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC); err != nil {
		return err
	}
	// Nothing that happens here may be seen outside.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Sethostname([]byte(c.Host)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	if err := unix.Mount("tmpfs", c.Root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=16m"); err != nil {
		return fmt.Errorf("mount a new root: %w", err)
	}
	for _, p := range c.Paths {
		if err := show(c.Root, p); err != nil {
			return fmt.Errorf("%s: %w", p.Path, err)
		}
	}
	if err := makeSystem(c.Root); err != nil {
		return err
	}
	for _, p := range c.Paths {
		if p.Hide {
			// All that is to be seen in it is mounted by now.
			if err := unix.MountSetattr(unix.AT_FDCWD, filepath.Join(c.Root, p.Path), 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
				return fmt.Errorf("hide %s: %w", p.Path, err)
			}
		}
	}
	if err := os.Chdir(c.Root); err != nil {
		return err
	}
	// The old root is stacked upon the new one and taken away: no directory is needed for it.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the old root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}

// show makes one path exist below root.
func show(root string, p shown) error {
	if p.List {
		return nil
	}
	at := filepath.Join(root, p.Path)
	source := p.Source
	if source == "" {
		source = p.Path
	}
	if p.Hide || p.Memory {
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		options, flags := "mode=0700,size=1g", uintptr(unix.MS_NOSUID|unix.MS_NODEV)
		if p.Hide {
			options = "mode=0755,size=4m"
		}
		return unix.Mount("tmpfs", at, "tmpfs", flags, options)
	}
	if target, err := os.Readlink(source); err == nil && strings.Count(source, "/") == 1 {
		return os.Symlink(target, at) // /bin and its like, on a machine where they lead to /usr
	}
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if err := mountPoint(at, info.IsDir()); err != nil {
		return err
	}
	if err := unix.Mount(source, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID}
	if !p.Write {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, at, unix.AT_RECURSIVE, &attr); err != nil {
		return fmt.Errorf("make it read-only: %w", err)
	}
	return nil
}

// mountPoint makes what a bind mount is put on. It may be there: a path inside one that is shown already.
func mountPoint(at string, dir bool) error {
	if _, err := os.Stat(at); err == nil {
		return nil
	}
	if dir {
		return os.MkdirAll(at, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(at, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// makeSystem adds what every program expects: its own processes in /proc, devices, a place for temporary files.
func makeSystem(root string) error {
	at := func(name string) string { return filepath.Join(root, name) }
	for _, dir := range []string{"/proc", "/dev", "/tmp", "/var"} {
		if err := os.MkdirAll(at(dir), 0o755); err != nil {
			return err
		}
	}
	// Without the supervisor, whose mounts are the machine's. Before Linux 5.8 that cannot be said of one mount alone.
	err := unix.Mount("proc", at("/proc"), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "hidepid=ptraceable")
	if errors.Is(err, unix.EINVAL) {
		err = unix.Mount("proc", at("/proc"), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	}
	if err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	// Where Mooring is root it owns these, whatever capabilities are dropped: core_pattern alone runs a program of one's choice outside.
	for _, name := range []string{"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi"} {
		if _, err := os.Stat(at(name)); err != nil {
			continue
		}
		if err := unix.Mount(at(name), at(name), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("bind %s: %w", name, err)
		}
		if err := unix.MountSetattr(unix.AT_FDCWD, at(name), unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC}); err != nil {
			return fmt.Errorf("make %s read-only: %w", name, err)
		}
	}
	for _, name := range devices {
		if err := mountPoint(at(name), false); err != nil {
			return err
		}
		if err := unix.Mount(name, at(name), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s: %w", name, err)
		}
	}
	for name, target := range map[string]string{"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2", "/var/tmp": "/tmp"} {
		if err := os.Symlink(target, at(name)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(at("/dev/shm"), 0o755); err != nil {
		return err
	}
	return unix.Mount("tmpfs", at("/dev/shm"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777")
}

// Access rights of Landlock by what a path is.
const (
	readFile   = landlock.AccessFSExecute | landlock.AccessFSReadFile
	readDir    = readFile | landlock.AccessFSReadDir
	changeFile = readFile | landlock.AccessFSWriteFile | landlock.AccessFSTruncate | landlock.AccessFSIoctlDev
	changeDir  = readDir | changeFile | landlock.AccessFSRemoveDir | landlock.AccessFSRemoveFile | landlock.AccessFSMakeDir | landlock.AccessFSMakeReg |
		landlock.AccessFSMakeSock | landlock.AccessFSMakeFifo | landlock.AccessFSMakeSym | landlock.AccessFSRefer
	everything = changeDir | landlock.AccessFSMakeChar | landlock.AccessFSMakeBlock
)

// supported are the rights that a version of Landlock in the kernel knows.
func supported(abi int) uint64 {
	rights := uint64(everything)
	if abi < 2 {
		rights &^= landlock.AccessFSRefer
	}
	if abi < 3 {
		rights &^= landlock.AccessFSTruncate
	}
	if abi < 5 {
		rights &^= landlock.AccessFSIoctlDev
	}
	return rights
}

// restrict lets this thread, and all that it starts, see the listed paths alone. /proc is not among them: there the environment of every
// process of the same user can be read.
func restrict(paths []shown) error {
	abi, err := landlock.LandlockGetABIVersion()
	if err != nil {
		return err
	}
	attr := landlock.RulesetAttr{HandledAccessFS: supported(abi)}
	if abi >= 6 {
		attr.Scoped = landlock.ScopeSignal | landlock.ScopeAbstractUnixSocket
	}
	ruleset, err := landlock.LandlockCreateRuleset(&attr, 0)
	if err != nil {
		return fmt.Errorf("create the rules: %w", err)
	}
	defer unix.Close(ruleset)
	for _, name := range devices {
		paths = append(paths, shown{Path: name, Write: true})
	}
	for _, p := range paths {
		if p.Hide {
			return fmt.Errorf("%s lies in a path that Terraform may see, and rules cannot hide it: narrow sandbox in the server's configuration", p.Path)
		}
		if err := allow(ruleset, p, attr.HandledAccessFS); err != nil {
			return fmt.Errorf("%s: %w", p.Path, err)
		}
	}
	return landlock.LandlockRestrictSelf(ruleset, 0)
}

// restrictScope takes abstract unix sockets away, which belong to the network that a run shares with the machine, where the kernel can: from
// Linux 6.12 on.
func restrictScope() error {
	abi, err := landlock.LandlockGetABIVersion()
	if err != nil || abi < 6 {
		return nil
	}
	ruleset, err := landlock.LandlockCreateRuleset(&landlock.RulesetAttr{Scoped: landlock.ScopeAbstractUnixSocket}, 0)
	if err != nil {
		return err
	}
	defer unix.Close(ruleset)
	return landlock.LandlockRestrictSelf(ruleset, 0)
}

func allow(ruleset int, p shown, handled uint64) error {
	fd, err := unix.Open(p.Path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENXIO) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	rights := uint64(readFile)
	switch isDir := stat.Mode&unix.S_IFMT == unix.S_IFDIR; {
	case p.List:
		rights = landlock.AccessFSReadDir
	case isDir && p.Write:
		rights = changeDir
	case isDir:
		rights = readDir
	case p.Write:
		rights = changeFile
	}
	return landlock.LandlockAddPathBeneathRule(ruleset, &landlock.PathBeneathAttr{ParentFd: fd, AllowedAccess: rights & handled}, 0)
}
