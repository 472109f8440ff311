package terraform

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/dirhash"
)

// The provider cache: providers/<host>/<namespace>/<type>/<version>/<platform>/<digest>, digest being Terraform's h1 in hex.
//
// Terraform's own plugin cache is not safe for parallel inits: it unpacks in place, and over an entry that another one is using. So each
// init gets a staging directory as its plugin cache. Links in it lead to entries that the lock file already accepts, which Terraform then
// uses as they are (a link to any other entry would be written through); what is new is unpacked beside them, and after a successful
// init moves into the cache by rename. An entry is named by its content, written once and never changed.
type packageCache struct {
	root string // the shared cache
	dir  string // staging, private to one init
	lock string // the text of the lock file before init
	// committed says that the lock file is the repository's, so that what is accepted under it can be remembered.
	committed bool
}

// providerPackage is one package at <…>/<host>/<namespace>/<type>/<version>/<platform>.
type providerPackage struct {
	address, version, platform string
	path                       string // the leaf itself, perhaps a link
}

func (p providerPackage) sub() string {
	return filepath.Join(filepath.FromSlash(p.address), p.version, p.platform)
}

// digest is Terraform's "h1:" digest of the package's content.
func (p providerPackage) digest() (string, error) {
	real, err := filepath.EvalSymlinks(p.path)
	if err != nil {
		return "", fmt.Errorf("digest of provider %s %s: %w", p.address, p.version, err)
	}
	digest, err := dirhash.HashDir(real, "", dirhash.Hash1)
	if err != nil {
		return "", fmt.Errorf("digest of provider %s %s: %w", p.address, p.version, err)
	}
	return digest, nil
}

// installedPackages lists the packages below a directory in Terraform's layout, sorted by path.
func installedPackages(dir string) ([]providerPackage, error) {
	leaves, err := filepath.Glob(filepath.Join(globQuote(dir), "*", "*", "*", "*", "*"))
	if err != nil {
		return nil, err
	}
	var packages []providerPackage
	for _, leaf := range leaves {
		rel, err := filepath.Rel(dir, leaf)
		if err != nil {
			return nil, err
		}
		parts := strings.Split(filepath.ToSlash(rel), "/")
		packages = append(packages, providerPackage{address: strings.Join(parts[:3], "/"), version: parts[3], platform: parts[4], path: leaf})
	}
	return packages, nil
}

func globQuote(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func h1Hex(h1 string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h1, "h1:"))
	return hex.EncodeToString(raw), err
}

func hexH1(name string) (string, bool) {
	raw, err := hex.DecodeString(name)
	return "h1:" + base64.StdEncoding.EncodeToString(raw), err == nil && len(raw) == sha256.Size
}

// stagePackages makes the staging directory of one init.
func (s *Session) stagePackages() (*packageCache, error) {
	lock, err := os.ReadFile(filepath.Join(s.view.path(s.dir), lockFileName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.packages(), "init-")
	if err != nil {
		return nil, err
	}
	cache := &packageCache{root: s.home.providers, dir: dir, lock: string(lock), committed: s.committedLock() != nil}
	known, err := installedPackages(cache.root)
	if err != nil {
		return nil, err
	}
	for _, p := range known {
		entry, h1 := cache.usable(p)
		if entry == "" {
			continue
		}
		leaf := filepath.Join(dir, p.sub())
		if err := os.MkdirAll(filepath.Dir(leaf), 0o700); err != nil {
			return nil, err
		}
		if err := os.Symlink(entry, leaf); err != nil {
			return nil, err
		}
		if cache.committed {
			cache.lock = addLockHash(cache.lock, p.address, p.version, h1)
		}
	}
	return cache, s.writeLockFile(cache.lock)
}

// usable picks the entry of a package that Terraform will take as it is: its digest is in the lock file; or the archive digests in the
// lock file are those under which it was verified before; or the lock file says nothing about the provider and is ours to write.
func (c *packageCache) usable(p providerPackage) (entry, h1 string) {
	start, end := lockBlock(c.lock, p.address)
	entries, err := os.ReadDir(p.path)
	if err != nil || start < 0 && c.committed {
		return "", ""
	}
	for _, e := range entries {
		h1, ok := hexH1(e.Name())
		if !ok {
			continue
		}
		if start >= 0 {
			block := c.lock[start:end]
			if lockedVersion(block) != p.version {
				continue
			}
			if !strings.Contains(block, `"`+h1+`"`) {
				if _, err := os.Stat(acceptedPath(p.path, e.Name(), block)); err != nil || !c.committed {
					continue
				}
			}
		}
		return filepath.Join(p.path, e.Name()), h1
	}
	return "", ""
}

var lockVersionLine = regexp.MustCompile(`(?m)^\s*version\s*=\s*"([^"]+)"`)
var archiveDigest = regexp.MustCompile(`"zh:[0-9a-f]{64}"`)

func lockedVersion(block string) string {
	if found := lockVersionLine.FindStringSubmatch(block); found != nil {
		return found[1]
	}
	return ""
}

// acceptedPath names the marker that says: Terraform verified this entry under these archive digests.
func acceptedPath(leaf, entry, block string) string {
	digests := archiveDigest.FindAllString(block, -1)
	slices.Sort(digests)
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(digests), "\n")))
	return filepath.Join(leaf, entry+".accepted", hex.EncodeToString(sum[:]))
}

// publish moves what a successful init unpacked into the cache and leads the links of .terraform there.
func (c *packageCache) publish(initDir string) error {
	staged, err := installedPackages(c.dir)
	if err != nil {
		return err
	}
	for _, p := range staged {
		target, err := os.Readlink(p.path)
		if err != nil { // a directory: new
			if target, err = c.publishOne(p); err != nil {
				return err
			}
		}
		link := filepath.Join(initDir, "providers", p.sub())
		if info, err := os.Lstat(link); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			if err := ensureLink(link, target); err != nil {
				return err
			}
			markUsed(target, time.Now())
		}
	}
	return removeAll(c.dir)
}

func (c *packageCache) publishOne(p providerPackage) (string, error) {
	h1, err := p.digest()
	if err != nil {
		return "", err
	}
	name, err := h1Hex(h1)
	if err != nil {
		return "", err
	}
	leaf := filepath.Join(c.root, p.sub())
	entry := filepath.Join(leaf, name)
	if err := os.MkdirAll(leaf, 0o700); err != nil {
		return "", err
	}
	if _, err := os.Stat(entry); err != nil {
		if err := seal(p.path); err != nil {
			return "", err
		}
		if err := os.Rename(p.path, entry); err != nil {
			// Another init was first; the name is the content, so theirs is ours.
			if _, statErr := os.Stat(entry); statErr != nil {
				return "", err
			}
		}
		if err := syncPath(leaf); err != nil {
			return "", err
		}
	}
	if start, end := lockBlock(c.lock, p.address); c.committed && start >= 0 && lockedVersion(c.lock[start:end]) == p.version {
		marker := acceptedPath(leaf, name, c.lock[start:end])
		if err := os.MkdirAll(marker, 0o700); err != nil {
			return "", err
		}
	}
	return entry, nil
}

// seal makes a package durable and takes the write permission from its files before others may see it.
func seal(dir string) error {
	return filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.Type().IsRegular() {
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if err := os.Chmod(name, info.Mode().Perm()&^0o222); err != nil {
				return err
			}
		}
		return syncPath(name)
	})
}

func syncPath(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// dropDamagedPackages removes cache entries that are not what their name says, when that is what init failed of: a disk or a person
// changed them, for Mooring never does. Init then installs them again.
func (s *Session) dropDamagedPackages(failed *CommandError) bool {
	if !failed.says("from shared cache") && !failed.says("match any of the checksums") {
		return false
	}
	known, err := installedPackages(s.home.providers)
	if err != nil {
		return false
	}
	dropped := false
	for _, p := range known {
		entries, _ := os.ReadDir(p.path)
		for _, e := range entries {
			want, ok := hexH1(e.Name())
			entry := filepath.Join(p.path, e.Name())
			if !ok {
				continue
			}
			if is, err := (providerPackage{address: p.address, version: p.version, path: entry}).digest(); err == nil && is == want {
				continue
			}
			if removeAll(entry) == nil {
				dropped = true
				s.note("the cached package of provider %s %s was damaged; installed again", p.address, p.version)
			}
		}
	}
	return dropped
}
