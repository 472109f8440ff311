package terraform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrSandbox says that the operator wants Terraform confined and this machine does not let it be.
var ErrSandbox = errors.New("the sandbox cannot be made")

// Sandbox is what the operator says of the confinement that Terraform runs in. The zero value is the strongest that the machine has.
type Sandbox struct {
	// Mode is "" or "auto": namespaces, where they are refused Landlock, where there is neither only what every Unix has, which Home.Confinement
	// says; "required": namespaces or nothing runs; "off": none.
	Mode        string
	Read, Write []string // absolute paths that Terraform may see beside what it needs
}

// The ways in which a run is confined, strongest first.
const (
	modeNamespaces = "namespaces" // user, process, mount, host name and IPC namespaces; a file system with only what is listed
	modeLandlock   = "landlock"   // the same list as access rules; descendants are found by a child subreaper
	modeNone       = "none"       // process group and descriptors only
)

// confinement is what a supervisor puts itself and its commands in.
type confinement struct {
	Mode  string  `json:"mode"`
	Root  string  `json:"root"` // an empty directory, to become the root
	Host  string  `json:"host"` // host name inside
	Paths []shown `json:"paths"`
}

// shown is a path that exists in the confinement, with all below it. Everything else does not.
type shown struct {
	Path   string `json:"path"`             // where it is seen
	Source string `json:"source,omitempty"` // where it is; "" is the same
	Write  bool   `json:"write,omitempty"`
	Memory bool   `json:"memory,omitempty"` // a private file system in memory, where mounts are possible
	List   bool   `json:"list,omitempty"`   // names of what is in it, and no more; in a namespace it holds what is shown below it
	Hide   bool   `json:"hide,omitempty"`   // empty instead: what lies there inside a path that is shown
}

// systemPaths are what programs on this machine need to run at all. No home, no /var, no /run, and of /etc what names, certificates and
// dynamic linking need: the rest of it holds other programs' secrets.
var systemPaths = []string{
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store",
	"/etc/alternatives", "/etc/ca-certificates", "/etc/ca-certificates.conf", "/etc/crypto-policies", "/etc/gai.conf", "/etc/gitconfig", "/etc/group", "/etc/host.conf",
	"/etc/hosts", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/machine-id", "/etc/mime.types", "/etc/nsswitch.conf", "/etc/os-release",
	"/etc/passwd", "/etc/pki", "/etc/protocols", "/etc/resolv.conf", "/etc/services", "/etc/ssh/ssh_config", "/etc/ssh/ssh_config.d", "/etc/ssh/ssh_known_hosts",
	"/etc/ssl", "/etc/static", "/etc/terminfo", "/etc/timezone",
}

// devices are made anew in the namespace; under Landlock they are the machine's.
var devices = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"}

// paths lists what the session's commands may see.
func (s *Session) paths(mode string) []shown {
	h := s.home
	var list []shown
	add := func(write bool, names ...string) {
		for _, name := range names {
			if name != "" {
				list = append(list, shown{Path: name, Write: write})
			}
		}
	}
	add(false, systemPaths...)
	for _, dir := range filepath.SplitList(h.opts.PathEnv) {
		if h.harmless(dir) {
			add(false, dir)
		}
	}
	add(false, h.opts.Sandbox.Read...)
	add(true, h.opts.Sandbox.Write...)
	add(false, s.spec.Tool.Path, filepath.Dir(s.executable), h.cliConfig, h.providers, s.spec.Tree)
	add(false, h.namedByEnv(s.spec.Env, s.spec.PlanEnv, s.spec.InitEnv)...)
	list = append(list, s.state.shownPaths()...)
	add(false, s.view.home)
	add(true, filepath.Join(s.view.home, "root"), s.packages())
	list = append(list, shown{Path: s.private, Write: true, Memory: true})
	if mode == modeNamespaces {
		list = append(list, shown{Path: "/tmp", Source: s.tmp, Write: true})
	} else {
		add(true, s.tmp)
	}
	return h.hideOwn(existing(list))
}

// harmless tells whether a directory of PATH may be shown: not a root, not a home, not Mooring's own.
func (h *Home) harmless(dir string) bool {
	return filepath.IsAbs(dir) && filepath.Clean(dir) != "/" && (h.userHome == "" || h.userHome == "/" || !overlaps(realPath(dir), h.userHome)) && !overlaps(dir, h.dataDir)
}

// namedByEnv are the files and sockets that variables of the allowlist name with their whole value: credentials live in such files, and who
// let the variable through meant the file too.
func (h *Home) namedByEnv(envs ...map[string]string) []string {
	var names []string
	for _, env := range envs {
		for _, value := range env {
			if !filepath.IsAbs(value) || overlaps(value, h.dataDir) {
				continue
			}
			if slices.ContainsFunc(h.opts.Sandbox.Write, func(dir string) bool { return within(value, dir) }) {
				continue // it may be written, too
			}
			if info, err := os.Stat(value); err == nil && (info.Mode().IsRegular() || info.Mode()&os.ModeSocket != 0) {
				names = append(names, value)
			}
		}
	}
	return names
}

// shownPaths are the places of state: the session's own to write, those of others that it reads by terraform_remote_state to read.
func (s *stateHome) shownPaths() []shown {
	var list []shown
	for _, name := range s.files {
		list = append(list, shown{Path: s.path(name), Write: true}, shown{Path: s.path(name) + ".backup", Write: true})
	}
	if s.workspace != "" {
		// No other Terraform workspace of the same root module.
		list = append(list, shown{Path: s.workspace, Write: true}, shown{Path: filepath.Dir(s.workspace), List: true})
	}
	for _, name := range s.read {
		list = append(list, shown{Path: s.path(name)})
	}
	for _, dir := range s.absolute {
		list = append(list, shown{Path: dir, Write: true})
	}
	for _, name := range s.absoluteRead {
		list = append(list, shown{Path: name})
	}
	return list
}

// checkPlaces looks at the absolute places of state before any of them is made.
func (s *stateHome) checkPlaces(h *Home) error {
	for _, dir := range s.absolute {
		if err := h.statePlace(dir, true); err != nil {
			return err
		}
	}
	for _, name := range s.absoluteRead {
		if err := h.statePlace(name, false); err != nil {
			return err
		}
	}
	return nil
}

// closedPlaces hold what is other programs' or the system's. A repository may keep its state in none of them.
var closedPlaces = []string{"/proc", "/sys", "/dev", "/etc", "/boot", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/run", "/var", "/root", "/home"}

// statePlace refuses an absolute place of state that would show what Terraform must not see: the repository names it, so it must not open
// a door that only the operator may open.
func (h *Home) statePlace(name string, write bool) error {
	if h.opts.Sandbox.Mode == "off" {
		return nil
	}
	allowed, word := h.opts.Sandbox.Write, "write"
	if !write {
		allowed, word = slices.Concat(allowed, h.opts.Sandbox.Read), "read"
	}
	real := realPath(name)
	if slices.ContainsFunc(allowed, func(dir string) bool { return within(real, realPath(dir)) }) {
		return nil
	}
	refuse := func(what string) error {
		return fmt.Errorf("%w for a state in %s: it would show %s to Terraform; list it in the server's configuration, sandbox { %s = [%q] }, or put the state elsewhere", ErrSandbox, name, what, word, name)
	}
	for _, closed := range append([]string{h.dataDir, h.userHome}, closedPlaces...) {
		if closed != "" && closed != "/" && overlaps(real, closed) {
			return refuse(closed)
		}
	}
	if filepath.Dir(real) == "/" {
		return refuse("everything in " + real)
	}
	return nil
}

// realPath follows links as far as a path exists.
func realPath(name string) string {
	name = filepath.Clean(name)
	if real, err := filepath.EvalSymlinks(name); err == nil {
		return real
	}
	if parent := filepath.Dir(name); parent != name {
		return filepath.Join(realPath(parent), filepath.Base(name))
	}
	return name
}

// hideOwn puts Mooring's own directories out of sight where they lie in a path that is shown, and sorts: what is inside comes after.
func (h *Home) hideOwn(list []shown) []shown {
	for _, own := range h.closed {
		if slices.ContainsFunc(list, func(p shown) bool { return !p.List && within(own, p.Path) && own != p.Path }) {
			list = append(list, shown{Path: own, Hide: true})
		}
	}
	for i := range list {
		list[i].Path = throughLink(list[i].Path)
	}
	slices.SortStableFunc(list, func(a, b shown) int { return strings.Compare(a.Path+"/", b.Path+"/") })
	return covered(list)
}

// covered leaves out of a sorted list what is shown already with a directory above it.
func covered(list []shown) []shown {
	var kept []shown
	for _, p := range list {
		above := -1
		for i := range kept {
			if within(p.Path, kept[i].Path) {
				above = i // the last one is the nearest: it was put over the others
			}
		}
		if above >= 0 && p.Source == "" && !p.Hide && !p.Memory && !p.List {
			over := kept[above]
			if over.Source == "" && !over.Hide && !over.Memory && !over.List && over.Write == p.Write && (over.Path == p.Path || !isLink(over.Path)) {
				continue
			}
		}
		kept = append(kept, p)
	}
	return kept
}

// throughLink leads a path below /bin and its like to where they lead, where they are links: they stay links inside.
func throughLink(name string) string {
	top, rest, below := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	if !below || !isLink("/"+top) {
		return name
	}
	target, err := filepath.EvalSymlinks("/" + top)
	if err != nil {
		return name
	}
	return filepath.Join(target, rest)
}

func isLink(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && info.Mode()&os.ModeSymlink != 0
}

// existing leaves out what is not there.
func existing(list []shown) []shown {
	return slices.DeleteFunc(list, func(p shown) bool {
		if p.Source != "" || p.Memory {
			return false
		}
		_, err := os.Stat(p.Path)
		return err != nil
	})
}

// within tells whether a path is dir or below it.
func within(name, dir string) bool {
	rel, err := filepath.Rel(dir, name)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

func overlaps(a, b string) bool { return within(a, b) || within(b, a) }
