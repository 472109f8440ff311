package terraform

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Confinement tells how Terraform is confined on this machine, and why not better.
type Confinement struct {
	Mode string // namespaces, landlock or none
	Why  string // why not namespaces; "" for them
}

func (c Confinement) String() string {
	switch c.Mode {
	case modeNamespaces:
		return "Terraform runs in namespaces of its own"
	case modeLandlock:
		return "Terraform is confined by Landlock, because namespaces are refused here: " + c.Why
	}
	return "Terraform is NOT confined: it can read what this user can read. " + c.Why
}

// Apart tells that what Terraform starts cannot even name other processes of the machine.
func (c Confinement) Apart() bool { return c.Mode == modeNamespaces }

// Weak tells that a run could see what it must not.
func (c Confinement) Weak() bool { return c.Mode == modeNone }

// Confinement finds out, once, by trying. Errors: ErrSandbox where the operator requires more than the machine gives.
func (h *Home) Confinement(ctx context.Context) (Confinement, error) {
	h.confineMu.Lock()
	defer h.confineMu.Unlock()
	if h.confined.Mode != "" {
		return h.confined, nil
	}
	if err := ctx.Err(); err != nil {
		return Confinement{}, err
	}
	if h.opts.Sandbox.Mode == "off" {
		h.confined = Confinement{Mode: modeNone, Why: `The server's configuration says sandbox = "off".`}
		return h.confined, nil
	}
	refused := h.try(modeNamespaces)
	if refused == nil {
		h.confined = Confinement{Mode: modeNamespaces}
		return h.confined, nil
	}
	if h.opts.Sandbox.Mode == "required" {
		return Confinement{}, fmt.Errorf("%w: the server's configuration says sandbox = \"required\", and namespaces are refused here (%v); allow user namespaces (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns, the container's seccomp profile), or say sandbox = \"auto\"", ErrSandbox, refused)
	}
	weaker := h.try(modeLandlock)
	if weaker == nil {
		h.confined = Confinement{Mode: modeLandlock, Why: refused.Error()}
		return h.confined, nil
	}
	h.confined = Confinement{Mode: modeNone, Why: fmt.Sprintf("Namespaces are refused here (%v), and so is Landlock (%v).", refused, weaker)}
	return h.confined, nil
}

// try starts a supervisor in a confinement and lets it go.
func (h *Home) try(mode string) error {
	dir, lock, err := h.newRun("try", runRecord{Mode: mode})
	defer func() {
		if lock != nil {
			lock.Close()
		}
		removeAll(dir)
	}()
	if err != nil {
		return err
	}
	output, err := os.OpenFile(filepath.Join(dir, outputName), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer output.Close()
	p, err := h.launch(mode, dir)
	if err != nil {
		return err
	}
	defer p.end()
	var paths []shown
	for _, name := range systemPaths {
		paths = append(paths, shown{Path: name})
	}
	private := filepath.Join(dir, "private")
	paths = append(paths, shown{Path: private, Write: true, Memory: true})
	return p.begin(setup{
		Format: runFormat, Run: dir, Private: private, Grace: h.opts.Grace,
		Confine: confinement{Mode: mode, Root: filepath.Join(dir, "root"), Host: "mooring", Paths: h.hideOwn(existing(paths))},
	}, lock, output)
}

// hostName is the host name that a run has in its namespace. Terraform writes it into the state lock, so that Mooring knows a lock of its
// own again: it names the run (label: its id and a random word), and nobody without the installation's secret can make one for another.
func (h *Home) hostName(repository, key, label string) string {
	real, err := os.Hostname()
	if err != nil {
		real = "localhost"
	}
	real, _, _ = strings.Cut(real, ".")
	return fmt.Sprintf("%s-mooring-%s-%s", real[:min(len(real), 20)], label, h.sign(repository, key, label))
}
