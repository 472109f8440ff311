package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/e2e/githttp"
)

// world is one repository, one data directory and one journal.
type world struct {
	*play
	id      string // in the environment of every process of it: CHAOS_WORLD
	dir     string
	data    string
	config  string
	effects string // directory of the journal, which the sandbox may write to
	journal string
	repo    *githttp.Repo
	modules []module
	gen     int
	env     []string // additions to the environment of its Mooring
	wrap    []string // argv before the binary
	servers []*server
	logs    int
}

// shape says what a world is made of.
type shape struct {
	workspaces int // 0 for none: the caller writes the repository
	resources  int
	shortest   time.Duration // of an effect
	longest    time.Duration
	serverHCL  string // top-level text added to server.hcl
	repoHCL    string // text in its repository block; "" applies always
	backend    func(workspace string) string
	files      map[string]string // more files of the first commit
	url        string            // of the repository; "" for its path
}

// standard is the shape of most scenarios. It is small: what a blow meets is decided by when it falls, and many rounds with
// short applies try more points than a few with long ones.
func (p *play) standard() shape {
	return shape{workspaces: 3, resources: 4, shortest: 50 * time.Millisecond, longest: 400 * time.Millisecond}
}

// world makes one. It belongs to the scenario until the round that misses in it, or done.
func (p *play) world(s shape) *world {
	p.made++
	w := &world{play: p, dir: filepath.Join(p.dir, fmt.Sprintf("w%d", p.made)), wrap: p.wrap}
	w.id = fmt.Sprintf("%d-%s-%d", os.Getpid(), strings.ReplaceAll(p.name, " ", "-"), p.made)
	w.data, w.config = filepath.Join(w.dir, "data"), filepath.Join(w.dir, "server.hcl")
	w.effects = filepath.Join(w.dir, "effects")
	w.journal = filepath.Join(w.effects, "journal")
	for _, dir := range []string{w.effects, filepath.Join(w.dir, "home")} {
		p.must(os.MkdirAll(dir, 0o777), "make a world")
	}
	w.must(os.WriteFile(w.journal, nil, 0o666), "make a journal")
	w.tell()
	for i := range s.workspaces {
		m := module{workspace: fmt.Sprintf("w%d", i), resources: effects(p.rng, s.resources, s.shortest, s.longest)}
		if s.backend != nil {
			m.backend = s.backend(m.workspace)
		}
		w.modules = append(w.modules, m)
	}
	p.worlds = append(p.worlds, w)
	files := w.generation()
	maps.Copy(files, s.files)
	w.repo = githttp.NewRepo(w, filepath.Join(w.dir, "remote", "infra.git"), files)
	w.configure(s)
	return w
}

// tell leaves how to come here again.
func (w *world) tell() {
	text := fmt.Sprintf("go run ./e2e/chaos -seed %d -mode %s -only %q  # short: %v, round %d\n", w.settings.seed, w.settings.mode, w.name, w.settings.short, w.round)
	w.must(os.WriteFile(filepath.Join(w.dir, "HOW"), []byte(text), 0o644), "make a world")
}

// configure writes server.hcl.
func (w *world) configure(s shape) {
	repo, url := s.repoHCL, s.url
	if repo == "" {
		repo = "  auto_apply = \"always\"\n"
	}
	if url == "" {
		url = w.repo.Dir
	}
	text := fmt.Sprintf("data_dir = %q\nenv      = [\"CHAOS_*\"]\n", w.data) + s.serverHCL
	if !strings.Contains(s.serverHCL, "sandbox") {
		text += sandboxHCL(w.effects)
	}
	text += fmt.Sprintf("\nrepository \"infra\" {\n  url    = %q\n  branch = \"main\"\n  poll   = \"200ms\"\n%s}\n", url, repo)
	w.must(os.WriteFile(w.config, []byte(text), 0o600), "write server.hcl")
	if r := w.run("validate", w.config); r.code != 0 {
		w.failf("the bench's own server.hcl: %s", r)
	}
}

func sandboxHCL(write string) string { return fmt.Sprintf("sandbox {\n  write = [%q]\n}\n", write) }

// generation turns to the next generation and returns its files.
func (w *world) generation() map[string]string {
	w.gen++
	files := map[string]string{}
	for i := range w.modules {
		w.modules[i].generation = w.now()
		maps.Copy(files, w.modules[i].files())
	}
	if len(files) == 0 {
		files["README.md"] = w.now() + "\n"
	}
	return files
}

// now names the present generation.
func (w *world) now() string { return fmt.Sprintf("g%d", w.gen) }

// commit commits the next generation and returns the commit's id. The first generation is there from the start.
func (w *world) commit() string {
	files := w.generation()
	return w.repo.Write("Generation "+w.now(), files)
}

// want names the effects of a generation as [missing] does.
func (w *world) want() []string {
	var all []string
	for _, m := range w.modules {
		for _, r := range m.resources {
			if r.command == "" {
				all = append(all, m.workspace+" "+r.name)
			}
		}
	}
	slices.Sort(all)
	return all
}

func (w *world) lines() []line {
	lines, err := readJournal(w.journal)
	w.must(err, "read the journal")
	return lines
}

func (w *world) mark(workspace, event string) {
	w.must(mark(w.journal, workspace, event), "write to the journal")
}

// replay ends the round when the journal shows what must not be.
func (w *world) replay() {
	if problems := replay(w.lines()).problems(); len(problems) > 0 {
		w.failf("%s", strings.Join(problems[:min(len(problems), 5)], "\n  "))
	}
}

// complete ends the round when an effect of the present generation did not end.
func (w *world) complete() {
	if gone := missing(w.lines(), w.now(), w.want()); len(gone) > 0 {
		w.failf("%d of %d effects are missing: %s", len(gone), len(w.want()), strings.Join(gone[:min(len(gone), 5)], "; "))
	}
}

// nothingLost is complete where processes were killed, which must have been flagged.
func (w *world) nothingLost(flags []flagged, victims ...proc) {
	want := w.want()
	for _, p := range victims {
		if e, workspace, ok := effectOf(p); ok && e.generation == w.now() {
			want = slices.DeleteFunc(want, func(s string) bool { return s == workspace+" "+e.resource })
		}
	}
	if gone := lost(w.lines(), w.now(), want); len(gone) > 0 {
		w.failf("%d of %d effects are lost: %s", len(gone), len(w.want()), strings.Join(gone[:min(len(gone), 5)], "; "))
	}
	for _, ws := range cut(w.lines()) {
		if !slices.ContainsFunc(flags, func(f flagged) bool { return f.unit == "ws/"+ws }) {
			w.failf("effects of %s were cut off, and nobody was told: %v", ws, flags)
		}
	}
}

// started waits until n effects of the present generation have started under the last server.
func (w *world) started(n int) {
	last := w.servers[len(w.servers)-1]
	w.await(time.Minute, fmt.Sprintf("effect %d of %s", n, w.now()), func() bool {
		gone := last.gone()
		have := count(w.lines(), w.now(), eventStart)
		if gone && have < n {
			w.failf("it ended after %d effects, exit %d: %s", have, last.cmd.ProcessState.ExitCode(), clip(last.said()))
		}
		return have >= n
	})
}

// read returns a file's text, "" when there is none.
func (w *world) read(path string) string {
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		w.failf("read %s: %w", path, err)
	}
	return string(b)
}
