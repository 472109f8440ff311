package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
	"golang.org/x/sys/unix"
)

// localSource reads a repository on this machine within this process: go-git's
// file transport would start git-upload-pack.
type localSource struct{ path string }

func (l *localSource) close() {}

func (l *localSource) refs(context.Context) (*advert, error) {
	repo, err := openLocal(l.path)
	if err != nil {
		return nil, err
	}
	defer repo.close()
	return repo.advert()
}

func (l *localSource) pull(ctx context.Context, st *store, want id, branch string) error {
	err := l.copyInto(ctx, st, want, branch)
	if errors.Is(err, plumbing.ErrObjectNotFound) || errors.Is(err, fs.ErrNotExist) {
		// A git gc may have put the objects into another file meanwhile.
		err = l.copyInto(ctx, st, want, branch)
	}
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return fmt.Errorf("the repository lacks an object that its history names (a partial clone, or damaged): %w", err)
	}
	return err
}

func (l *localSource) copyInto(ctx context.Context, st *store, want id, branch string) error {
	repo, err := openLocal(l.path)
	if err != nil {
		return err
	}
	defer repo.close()
	if _, err := repo.object(plumbing.CommitObject, want); errors.Is(err, plumbing.ErrObjectNotFound) {
		return ErrGone
	}
	if offered, err := repo.offers(want, branch); err != nil || !offered {
		return cmp.Or(err, ErrGone)
	}
	var missing []id
	if err := st.with(func(r *reader) error {
		missing, err = findMissing(ctx, repo, r.fetched, want)
		return err
	}); err != nil {
		return err
	}
	_, err = st.addPack(ctx, func(w io.Writer) error {
		return writePack(w, missing, func(h id) (plumbing.EncodedObject, error) {
			return repo.object(plumbing.AnyObject, h)
		})
	}, func(p packed) error { return p.holds(missing) })
	return err
}

// offers says whether a ref stands on the commit or the watched branch contains
// it: what a server would give out. Objects of a branch that was force-pushed lie
// about until a gc, and nobody offers them.
func (l *localRepo) offers(want id, branch string) (bool, error) {
	ad, err := l.advert()
	if err != nil || ad.stands(want) {
		return err == nil, err
	}
	head, err := chooseHead(ad, branch)
	if err != nil {
		return false, err
	}
	return isAncestor(func(h id) (node, error) {
		obj, err := l.object(plumbing.CommitObject, h)
		if err != nil {
			return node{}, err
		}
		c := &object.Commit{}
		if err := c.Decode(obj); err != nil {
			return node{}, fmt.Errorf("commit %s: %w", h, err)
		}
		return node{when: c.Committer.When, parents: c.ParentHashes}, nil
	}, want, plumbing.NewHash(head.Commit))
}

// localRepo is an opened repository with the object stores it borrows from.
type localRepo struct {
	refsOf *filesystem.Storage
	stores []*filesystem.Storage
}

// openLocal opens a bare repository, a working copy or a linked work tree.
func openLocal(path string) (*localRepo, error) {
	gitDir, commonDir, err := findGitDir(path)
	if err != nil {
		return nil, err
	}
	if err := checkFormat(commonDir); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrUnsupported, path, err)
	}
	var files billy.Filesystem = osfs.New(gitDir)
	if commonDir != gitDir {
		files = dotgit.NewRepositoryFilesystem(files, osfs.New(commonDir))
	}
	repo := &localRepo{refsOf: filesystem.NewStorageWithOptions(files, cache.NewObjectLRU(cache.MiByte), filesystem.Options{})}
	dirs, err := objectDirs(filepath.Join(commonDir, "objects"))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrUnsupported, path, err)
	}
	for _, d := range dirs {
		repo.stores = append(repo.stores, openStorage(filepath.Dir(d), 16*cache.MiByte))
	}
	return repo, nil
}

// findGitDir resolves path to the directory with HEAD and the one with objects
// and branches; they differ in a linked work tree only.
func findGitDir(path string) (gitDir, commonDir string, err error) {
	if _, err := os.Stat(path); err != nil {
		return "", "", fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	gitDir = path
	dot := filepath.Join(path, ".git")
	switch info, err := os.Stat(dot); {
	case errors.Is(err, unix.ENOTDIR):
		return "", "", fmt.Errorf("%w: %s is a file, not a Git repository (bundles are not read)", ErrNotFound, path)
	case errors.Is(err, fs.ErrNotExist): // bare
	case err != nil:
		return "", "", err
	case info.IsDir():
		gitDir = dot
	default:
		if gitDir, err = readLink(dot, "gitdir: ", path); err != nil {
			return "", "", err
		}
	}
	if _, err := os.Stat(filepath.Join(gitDir, "HEAD")); err != nil {
		return "", "", fmt.Errorf("%w: %s is not a Git repository", ErrNotFound, path)
	}
	commonDir, err = readLink(filepath.Join(gitDir, "commondir"), "", gitDir)
	if errors.Is(err, fs.ErrNotExist) {
		commonDir, err = gitDir, nil
	}
	if err != nil {
		return "", "", err
	}
	if _, err := os.Stat(filepath.Join(commonDir, "objects")); err != nil {
		return "", "", fmt.Errorf("%w: %s is not a Git repository", ErrNotFound, path)
	}
	return gitDir, commonDir, nil
}

// readLink reads one of git's files that hold a path, relative to base.
func readLink(file, prefix, base string) (string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	target, ok := strings.CutPrefix(strings.TrimRight(string(raw), "\r\n"), prefix)
	if !ok || target == "" {
		return "", fmt.Errorf("%w: %s does not hold a path", ErrNotFound, file)
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(base, target)
	}
	return filepath.Clean(target), nil
}

// checkFormat refuses what go-git would misread.
func checkFormat(commonDir string) error {
	if _, err := os.Stat(filepath.Join(commonDir, "shallow")); err == nil {
		return errors.New("it is a shallow clone (run git fetch --unshallow in it)")
	}
	sto := filesystem.NewStorage(osfs.New(commonDir), cache.NewObjectLRU(0))
	cfg, err := sto.Config()
	if err != nil {
		return fmt.Errorf("its configuration cannot be read: %w", err)
	}
	ext := cfg.Raw.Section("extensions")
	if f := ext.Option("objectformat"); f != "" && f != "sha1" {
		return fmt.Errorf("its objects are named by %s; only sha1 is read", f)
	}
	if f := ext.Option("refstorage"); f != "" && f != "files" {
		return fmt.Errorf("its refs are stored as %s; only files are read", f)
	}
	return nil
}

// objectDirs returns dir and the directories it borrows objects from.
func objectDirs(dir string) ([]string, error) {
	const most = 10
	dirs := []string{dir}
	for i := 0; i < len(dirs); i++ {
		raw, err := os.ReadFile(filepath.Join(dirs[i], "info", "alternates"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(raw)) {
			alt := strings.TrimRight(line, "\r\n")
			if alt == "" || alt[0] == '#' {
				continue
			}
			if !filepath.IsAbs(alt) {
				alt = filepath.Join(dirs[i], alt)
			}
			if alt = filepath.Clean(alt); filepath.Base(alt) != "objects" {
				return nil, fmt.Errorf("it borrows objects from %s, which is not a directory named objects", alt)
			}
			if !slices.Contains(dirs, alt) {
				dirs = append(dirs, alt)
			}
		}
		if len(dirs) > most {
			return nil, fmt.Errorf("it borrows objects from more than %d repositories", most)
		}
	}
	return dirs, nil
}

func (l *localRepo) close() {
	for _, s := range l.stores {
		_ = s.Close() // only read from
	}
}

func (l *localRepo) object(t plumbing.ObjectType, h id) (plumbing.EncodedObject, error) {
	for _, s := range l.stores {
		obj, err := s.EncodedObject(t, h)
		if !errors.Is(err, plumbing.ErrObjectNotFound) {
			return obj, err
		}
	}
	return nil, fmt.Errorf("%w: %s", plumbing.ErrObjectNotFound, h)
}

func (l *localRepo) content(t plumbing.ObjectType, h id) ([]byte, error) {
	obj, err := l.object(t, h)
	if err != nil {
		return nil, err
	}
	r, err := obj.Reader()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return io.ReadAll(r)
}

// advert lists the refs as a remote would.
func (l *localRepo) advert() (*advert, error) {
	iter, err := l.refsOf.IterReferences()
	if err != nil {
		return nil, fmt.Errorf("read refs: %w", err)
	}
	ad := &advert{refs: map[string]id{}}
	if err := iter.ForEach(func(ref *plumbing.Reference) error {
		if ref.Name() == plumbing.HEAD {
			return nil
		}
		target := ref
		if ref.Type() == plumbing.SymbolicReference {
			var err error
			target, err = storer.ResolveReference(l.refsOf, ref.Name())
			if errors.Is(err, plumbing.ErrReferenceNotFound) {
				return nil // a remote does not show it either
			}
			if err != nil {
				return err
			}
		}
		ad.refs[ref.Name().String()] = target.Hash()
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read refs: %w", err)
	}
	head, err := l.refsOf.Reference(plumbing.HEAD)
	if err != nil {
		return nil, fmt.Errorf("read HEAD: %w", err)
	}
	if head.Type() == plumbing.HashReference {
		ad.head = head.Hash()
		return ad, nil
	}
	target, err := storer.ResolveReference(l.refsOf, head.Name())
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return ad, nil // a branch yet to be born
	}
	if err != nil {
		return nil, fmt.Errorf("read HEAD: %w", err)
	}
	ad.head = target.Hash()
	ad.headBranch, _ = strings.CutPrefix(target.Name().String(), "refs/heads/")
	return ad, nil
}
