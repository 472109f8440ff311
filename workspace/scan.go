package workspace

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// ScannerOptions say what the server, not the repository, decides.
type ScannerOptions struct {
	// Clusters are the names that a manifests block may use; nil means that they are
	// not known, and any name passes.
	Clusters []string
	// HealthFaults finds what is wrong with a health rule; nil takes any.
	HealthFaults func(HealthRule) []HealthFault
	// ChartFaults finds what is wrong with a chart from elsewhere; nil takes any.
	ChartFaults func(RemoteChart) []ChartFault
	// Now says which rules have ended; nil is time.Now.
	Now func() time.Time
	// Workers parse files at the same time; 0 is 2.
	Workers int
}

// Scanner turns trees into graphs. Between scans it keeps what each file said, so
// that the scan after a small commit reads only the files that changed. Its methods
// may be called from several goroutines; scans run one after another.
type Scanner struct {
	opts ScannerOptions
	seed maphash.Seed

	mu        sync.Mutex            // guards what follows: the last scan's facts
	files     map[string]cachedFile // those that units name; a module keeps its own
	modules   map[string]*moduleFacts
	roots     map[string]*RootModule
	linkStamp uint64
}

type cachedFile struct {
	id    fileID
	facts *fileFacts
}

// NewScanner answers a scanner that has seen nothing yet.
func NewScanner(opts ScannerOptions) *Scanner {
	if opts.Workers <= 0 {
		opts.Workers = 2
	}
	return &Scanner{opts: opts, seed: maphash.MakeSeed()}
}

// Scan reads a tree. The error is a *ConfigError with every mistake of mooring.hcl
// and of the graph at once, or what the tree or ctx answered. A root module whose
// Terraform files are broken is no error of the scan: its Unit.Err says it.
func (s *Scanner) Scan(ctx context.Context, tree Tree) (*Graph, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ix, err := newIndex(tree, s.seed)
	if err != nil {
		return nil, fmt.Errorf("walk the repository: %w", err)
	}
	sc := &scan{
		ctx: ctx, ix: ix, opts: s.opts, seed: s.seed, in: newInterner(),
		files: map[string]cachedFile{}, facts: map[string]*fileFacts{},
		modules: make(map[string]*moduleFacts, len(s.modules)), roots: make(map[string]*RootModule, len(s.roots)),
		oldFiles: s.files, oldRoots: s.roots, sameLinks: s.linkStamp == ix.linkStamp,
		needing: map[*moduleFacts]bool{}, lists: map[string][]string{},
	}
	changed, stamps := sc.keepModules(s.modules)
	if err := sc.readFacts(changed); err != nil {
		return nil, err
	}
	for i, d := range changed {
		m := sc.buildModule(d)
		m.stamp = stamps[i]
		sc.modules[m.dir] = m
	}
	graph, err := sc.graph()
	if ctxErr := ctx.Err(); ctxErr != nil {
		return nil, ctxErr
	}
	// Facts hold whether or not mooring.hcl does; one that is broken for an hour must
	// not cost what was learnt before.
	if err != nil {
		keep(sc.files, s.files)
		if sc.sameLinks {
			keep(sc.roots, s.roots)
		}
	}
	s.files, s.modules, s.roots, s.linkStamp = sc.files, sc.modules, sc.roots, ix.linkStamp
	return graph, err
}

// keep adds what is only in old.
func keep[V any](into, old map[string]V) {
	for key, v := range old {
		if _, ok := into[key]; !ok {
			into[key] = v
		}
	}
}

// scan is one Scan under way.
type scan struct {
	ctx  context.Context
	ix   *index
	opts ScannerOptions
	seed maphash.Seed
	in   *interner

	files    map[string]cachedFile // to be kept
	facts    map[string]*fileFacts // of files read in this scan, by real path
	modules  map[string]*moduleFacts
	roots    map[string]*RootModule
	oldFiles map[string]cachedFile
	oldRoots map[string]*RootModule

	sameLinks bool // no symbolic link changed since the last scan
	needing   map[*moduleFacts]bool
	warnings  []Warning
	readErr   error

	foundRoots []string            // memo of found
	lists      map[string][]string // equal lists of the roots share one
}

type job struct {
	path string
	src  []byte
	sum  [16]byte
	out  *fileFacts
}

// readFacts reads the Terraform files of the given directories. One goroutine reads,
// as trees need not be safe for more; opts.Workers parse.
func (s *scan) readFacts(dirs []*dirIndex) error {
	jobs := make(chan *job, 64)
	var workers sync.WaitGroup
	var all []*job
	bySum := map[[16]byte]*job{}
	same := map[*job]*job{}
	for range s.opts.Workers {
		workers.Go(func() {
			for j := range jobs {
				j.out = s.parse(j.path, j.src)
				j.out.sum, j.src = j.sum, nil
			}
		})
	}
	read := func(p string) error {
		src, err := s.ix.tree.ReadFile(p)
		if err != nil {
			return fmt.Errorf("read %s: %w", p, err)
		}
		j := &job{path: p, src: src, sum: contentSum(p, src)}
		all = append(all, j)
		if first := bySum[j.sum]; first != nil {
			same[j], j.src = first, nil
			return nil
		}
		bySum[j.sum] = j
		jobs <- j
		return nil
	}
	err := s.eachFactFile(dirs, read)
	close(jobs)
	workers.Wait()
	if err != nil {
		return err
	}
	for _, j := range all {
		facts := j.out
		if first := same[j]; first != nil {
			facts = first.out
		}
		s.facts[j.path] = facts
	}
	return nil
}

// eachFactFile names the Terraform files of directories, links followed, each once.
func (s *scan) eachFactFile(dirs []*dirIndex, fn func(p string) error) error {
	done := map[string]bool{}
	for _, d := range dirs {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		for _, f := range d.files {
			if !isFactFile(f.name) {
				continue
			}
			p := path.Join(d.path, f.name)
			if f.link {
				real, _, isDir, exists := s.ix.lookup(p)
				if !exists || isDir {
					continue
				}
				p = real
			}
			if len(s.ix.links) > 0 {
				if done[p] {
					continue
				}
				done[p] = true
			}
			if err := fn(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// isFactFile tells a file that every module in its directory is made of.
func isFactFile(name string) bool {
	return isConfigFile(name) || isAutoVarFile(name) || name == lockFile
}

// contentSum keeps files of equal content but different syntax apart.
func contentSum(p string, src []byte) [16]byte {
	h := sha256.New()
	h.Write(src)
	h.Write([]byte{0})
	h.Write([]byte(factKind(p)))
	var sum [16]byte
	copy(sum[:], h.Sum(nil))
	return sum
}

func factKind(p string) string {
	_, name := splitPath(p)
	switch {
	case name == lockFile:
		return "lock"
	case strings.HasSuffix(name, ".tf"):
		return "tf"
	case strings.HasSuffix(name, ".tf.json"):
		return "tf.json"
	case isKustomization(name):
		return "kustomization"
	case strings.HasSuffix(name, ".json"):
		return "values.json"
	}
	return "values"
}

func (s *scan) parse(p string, src []byte) *fileFacts {
	switch factKind(p) {
	case "lock":
		return &fileFacts{configFacts: noConfig}
	case "tf", "tf.json":
		return parseConfigFile(p, src, s.in)
	case "kustomization":
		return parseKustomization(src, s.in)
	}
	return parseValueFile(p, src, s.in)
}

// valueFile answers the facts of a file that some unit names, nil when it is not there.
func (s *scan) valueFile(p string) *fileFacts {
	real, _, isDir, exists := s.ix.lookup(p)
	if !exists || isDir {
		return nil
	}
	entry, _ := s.ix.file(real)
	if facts := s.facts[real]; facts != nil {
		s.files[s.in.intern(real)] = cachedFile{entry.id, facts}
		return facts
	}
	if cached, ok := s.oldFiles[real]; ok && cached.id == entry.id {
		s.files[real], s.facts[real] = cached, cached.facts
		return cached.facts
	}
	src, err := s.ix.tree.ReadFile(real)
	if err != nil {
		if s.readErr == nil {
			s.readErr = fmt.Errorf("read %s: %w", real, err)
		}
		return nil
	}
	facts := s.parse(real, src)
	facts.sum = contentSum(real, src)
	real = s.in.intern(real)
	s.files[real], s.facts[real] = cachedFile{entry.id, facts}, facts
	return facts
}

// keepModules takes over the module of every directory whose files are as they were.
// It answers the others, sorted, with their stamps.
func (s *scan) keepModules(old map[string]*moduleFacts) (changed []*dirIndex, stamps []uint64) {
	for _, d := range s.ix.dirs {
		if !d.terraform {
			continue
		}
		if m := old[d.path]; m != nil && m.stamp == s.moduleStamp(d) {
			s.modules[m.dir] = m
			continue
		}
		d.path = s.in.intern(d.path)
		changed = append(changed, d)
	}
	slices.SortFunc(changed, func(a, b *dirIndex) int { return strings.Compare(a.path, b.path) })
	for _, d := range changed {
		stamps = append(stamps, s.moduleStamp(d))
	}
	return changed, stamps
}

// needs tells that a module's instances differ in what they read: every one of them
// has to be looked at, not only the first.
func (s *scan) needs(m *moduleFacts) bool {
	if v, ok := s.needing[m]; ok {
		return v
	}
	s.needing[m] = false // for a circle of modules
	v := slices.ContainsFunc(m.files, func(f moduleFile) bool {
		return len(f.fileFacts.states) > 0 ||
			slices.ContainsFunc(f.paths, func(p pathRef) bool { return p.dynamic.set() })
	})
	for _, call := range m.calls() {
		if v {
			break
		}
		if call.fact.source.form != formLiteral {
			v = true
			break
		}
		if target, ok := localSource(m.dir, call.fact.source.text); ok {
			if real, _, ok := s.ix.resolve(target); ok && s.modules[real] != nil {
				v = s.needs(s.modules[real])
			}
		}
	}
	s.needing[m] = v
	return v
}
