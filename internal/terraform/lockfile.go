package terraform

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// committedLock is the lock file of the tree, nil when there is none.
func (s *Session) committedLock() []byte {
	name := path.Join(s.dir, lockFileName)
	if s.spec.Skip != nil && s.spec.Skip(name) {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(s.spec.Tree, filepath.FromSlash(name)))
	if err != nil {
		return nil
	}
	if data == nil {
		data = []byte{}
	}
	return data
}

// keptLockPath is where the lock file of a workspace lives that nobody committed.
func (s *Session) keptLockPath() string { return filepath.Join(s.home.lockFiles, s.name+".hcl") }

// placeLockFile puts the committed or the kept lock file into the view. Init replaces it by rename, so it is a copy, never a link.
func (s *Session) placeLockFile() error {
	lock := s.committedLock()
	if lock == nil {
		kept, err := os.ReadFile(s.keptLockPath())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read kept lock file: %w", err)
		}
		lock = kept
	}
	return s.writeLockFile(string(lock))
}

func (s *Session) writeLockFile(text string) error {
	name := filepath.Join(s.view.path(s.dir), lockFileName)
	if text == "" {
		if err := os.RemoveAll(name); err != nil {
			return fmt.Errorf("remove lock file: %w", err)
		}
		return nil
	}
	if err := writeFile(name, []byte(text), 0o600); err != nil {
		return fmt.Errorf("place lock file: %w", err)
	}
	return nil
}

// keepLockFile takes the lock file that init left. A committed one was read only; the digests of this platform's packages may be
// missing in it (whoever committed it has another platform), and then plan would refuse the very packages that init accepted. Terraform
// verified them against the archive digests in it, so their digests are added to the view's private copy, as a plain init would.
func (s *Session) keepLockFile() (string, error) {
	name := filepath.Join(s.view.path(s.dir), lockFileName)
	lock, err := readRegular(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read lock file: %w", err)
	}
	if s.committedLock() == nil {
		if bytes.Contains(lock, []byte("provider ")) {
			s.note("no %s is committed in %s; the provider versions chosen by init are kept with the workspace", lockFileName, s.dir)
		}
		if err := writeFile(s.keptLockPath(), lock, 0o600); err != nil {
			return "", fmt.Errorf("keep lock file: %w", err)
		}
		return string(lock), nil
	}
	packages, err := installedPackages(filepath.Join(s.initDir(), "providers"))
	if err != nil {
		return "", err
	}
	text := string(lock)
	for _, p := range packages {
		h1, err := p.digest()
		if err != nil {
			return "", err
		}
		text = addLockHash(text, p.address, p.version, h1)
	}
	return text, s.writeLockFile(text)
}

var lockHashes = regexp.MustCompile(`(?m)^(\s*)hashes\s*=\s*\[\s*$`)

// addLockHash adds a package digest to the block of a provider in a lock file as Terraform writes it. Text that looks otherwise is left
// alone: Terraform then says itself what it misses.
func addLockHash(lock, address, version, h1 string) string {
	start, end := lockBlock(lock, address)
	if start < 0 {
		return lock
	}
	block := lock[start:end]
	at := lockHashes.FindStringSubmatchIndex(block)
	if at == nil || strings.Contains(block, `"`+h1+`"`) || !regexp.MustCompile(`(?m)^\s*version\s*=\s*"`+regexp.QuoteMeta(version)+`"`).MatchString(block) {
		return lock
	}
	indent := block[at[2]:at[3]] + "  "
	return lock[:start] + block[:at[1]] + "\n" + indent + `"` + h1 + `",` + block[at[1]:] + lock[end:]
}

// lockBlock finds the text of a provider's block; start is -1 when there is none.
func lockBlock(lock, address string) (start, end int) {
	start = strings.Index("\n"+lock, "\nprovider \""+address+"\" {")
	if start < 0 {
		return -1, -1
	}
	length := strings.Index(lock[start:], "\n}")
	if length < 0 {
		return -1, -1
	}
	return start, start + length
}
