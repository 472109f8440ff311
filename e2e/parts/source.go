package parts

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const modulePath = "github.com/mooring-iac/mooring"

// sourceRoot is the root of Mooring's source tree, found upwards from the working directory, which is that of the
// package in a test.
func sourceRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find source tree: %w", err)
	}
	for {
		goMod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil {
			first, _, _ := strings.Cut(string(goMod), "\n")
			if first == "module "+modulePath {
				return dir, nil
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("find source tree: %w", err)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find source tree: the working directory is not inside Mooring's source")
		}
		dir = parent
	}
}

// digest is a short hash of the files of a module that decide what is built: names and contents, without tests and
// documents.
func digest(dir string) (string, error) {
	hash := sha256.New()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !decides(entry.Name()) {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(hash, "%s %d\n%s", filepath.ToSlash(name), len(content), content)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("digest %s: %w", dir, err)
	}
	return fmt.Sprintf("%x", hash.Sum(nil))[:12], nil
}

func decides(name string) bool {
	if strings.HasSuffix(name, "_test.go") {
		return false
	}
	switch filepath.Ext(name) {
	case ".go", ".mod", ".sum", ".yaml":
		return true
	}
	return false
}

// short is a short hash of strings that decide what is built.
func short(inputs ...string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(inputs, "\n"))))[:12]
}
