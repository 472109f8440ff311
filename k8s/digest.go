package k8s

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
)

// Digest stands for everything that a render of the source depends on: the files it reads and the values. It is keyed, for values may
// be sensitive. What kustomizations and charts read cannot be foreseen, so for those it stands for src.Revision. "" without a key,
// or where there is no telling.
func (src Source) Digest(key []byte) (string, error) {
	if len(key) == 0 {
		return "", nil
	}
	root, err := os.OpenRoot(src.Root)
	if err != nil {
		return "", fmt.Errorf("open the checkout: %w", err)
	}
	defer root.Close()
	sum := hmac.New(sha256.New, key)
	dir := path.Clean("/" + src.Path)[1:]
	if dir == "" {
		dir = "."
	}
	t := &tree{root: root, exclude: src.Exclude}
	files, plain := t.reads(dir)
	plain = plain && src.Chart.Origin == ""
	src.Chart.Archive = "" // where it lies makes no difference
	fmt.Fprintf(sum, "%q %q\n", dir, src.Exclude)
	switch {
	case len(t.faults) > 0 || !plain && src.Revision == "":
		return "", nil
	case !plain:
		fmt.Fprintf(sum, "%q %q\n", src.Revision, src.Chart)
		files = nil
	}
	for _, name := range files {
		file, err := root.Open(name)
		if err != nil {
			return "", nil // the render says it with file and line
		}
		one := sha256.New()
		_, err = io.Copy(one, file)
		if err := file.Close(); err != nil {
			return "", err
		}
		if err != nil {
			return "", nil
		}
		fmt.Fprintf(sum, "%q %x\n", name, one.Sum(nil))
	}
	for _, name := range slices.Sorted(maps.Keys(src.Values)) {
		v := src.Values[name]
		fmt.Fprintf(sum, "%q %q %v %v\n", name, v.JSON, v.Sensitive, v.Unknown)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

// reads lists the files that a render of dir reads; plain is false where a kustomization or a chart decides that.
func (t *tree) reads(dir string) (files []string, plain bool) {
	info, err := t.root.Stat(dir)
	if err != nil || !info.IsDir() {
		return []string{dir}, err == nil
	}
	if t.kustomizationOf(dir) != "" || t.isFile(path.Join(dir, "Chart.yaml")) {
		return nil, false
	}
	var kustomizations []string
	t.walk(dir, &files, &kustomizations)
	return files, len(kustomizations) == 0
}
