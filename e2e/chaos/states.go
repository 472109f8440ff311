package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mooring-iac/mooring/e2e/githttp"
)

// statePath is where Mooring keeps the state of a workspace without a backend.
func (w *world) statePath(workspace string) string {
	found, _ := filepath.Glob(filepath.Join(w.data, "state", "*", "ws", workspace, "terraform.tfstate"))
	if len(found) != 1 {
		w.failf("the state of %s is in %q, want one file", workspace, found)
	}
	return found[0]
}

// state reads the state of a workspace, normalised.
func (w *world) state(workspace string) string {
	b, err := os.ReadFile(w.statePath(workspace))
	w.must(err, "read a state")
	text, err := normalise(b)
	w.must(err, "read the state of "+workspace)
	return text
}

// normalise drops from a state what two applies of the same code never share: ids, lineage, serial and the order.
func normalise(state []byte) (string, error) {
	var s struct {
		Version   int
		Outputs   map[string]any
		Resources []struct {
			Mode, Type, Name, Module string
			Instances                []struct {
				IndexKey   any `json:"index_key"`
				Status     string
				Deposed    string
				Attributes map[string]any
			}
		}
	}
	if err := json.Unmarshal(state, &s); err != nil {
		return "", fmt.Errorf("%w, after %d bytes", err, len(state))
	}
	if s.Version != 4 {
		return "", fmt.Errorf("version %d, want 4", s.Version)
	}
	var rows []string
	for _, r := range s.Resources {
		for _, i := range r.Instances {
			delete(i.Attributes, "id")
			attributes, err := json.Marshal(i.Attributes)
			if err != nil {
				return "", err
			}
			rows = append(rows, fmt.Sprintf("%s %s.%s.%s[%v] status=%q deposed=%q %s", r.Mode, r.Module, r.Type, r.Name, i.IndexKey, i.Status, i.Deposed, attributes))
		}
	}
	slices.Sort(rows)
	outputs, err := json.Marshal(s.Outputs)
	return strings.Join(append(rows, "outputs "+string(outputs)), "\n"), err
}

// control applies the present commit in a data directory of its own that nobody kills, and returns the states by workspace.
func (w *world) control() map[string]string {
	c := &world{play: w.play, id: w.id + "-control", modules: w.modules, repo: w.repo, gen: w.gen, wrap: w.wrap, env: w.env}
	c.dir = filepath.Join(w.dir, fmt.Sprintf("control-%s", w.now()))
	c.data, c.config = filepath.Join(c.dir, "data"), filepath.Join(c.dir, "server.hcl")
	c.effects = filepath.Join(c.dir, "effects")
	c.journal = filepath.Join(c.effects, "journal")
	w.must(os.MkdirAll(c.effects, 0o777), "make the control")
	if len(w.modules) > 0 && w.modules[0].backend != "" { // it must not meet the states that it is the control of
		files := map[string]string{}
		c.modules = slices.Clone(w.modules)
		for i := range c.modules {
			c.modules[i].backend = ""
			maps.Copy(files, c.modules[i].files())
		}
		c.repo = githttp.NewRepo(w, filepath.Join(c.dir, "infra.git"), files)
	}
	c.configure(shape{})
	if runs, code := c.sync(); code != 0 {
		w.failf("the control is not applied, exit %d: %s", code, summary(runs))
	}
	c.complete()
	states := map[string]string{}
	for _, m := range w.modules {
		states[m.workspace] = c.state(m.workspace)
	}
	return states
}

// equal compares the states with a control's. One of another generation stands in for it under this one's name.
func (w *world) equal(control map[string]string, generation string) {
	for _, m := range w.modules {
		want := strings.ReplaceAll(control[m.workspace], `"`+generation+`"`, `"`+w.now()+`"`)
		if got := w.state(m.workspace); got != want {
			w.failf("the state of %s differs from the control's:\n%s\nwant:\n%s", m.workspace, clip(got), clip(want))
		}
	}
}

// lockFree ends the round when somebody holds Terraform's own lock on a local state.
func (w *world) lockFree(workspace string) {
	path := w.statePath(workspace)
	info := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock.info")
	if b, err := os.ReadFile(info); !errors.Is(err, fs.ErrNotExist) {
		w.failf("the state of %s is still locked: %s %v", workspace, b, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	w.must(err, "open a state")
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	w.must(unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock), "lock the state of "+workspace)
}

func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
