package mirror

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// tipsDir holds one ref for each of the commits fetched last, named by its own
// hash. They tell the remote at the next fetch what is here already, keep
// objects if a person runs git gc in the mirror, and never carry a name that
// the remote has chosen.
const (
	tipsDir = "refs/mooring"
	maxTips = 32
)

// readTips returns the commits fetched last, newest first.
func readTips(dir string) ([]id, error) {
	entries, err := os.ReadDir(filepath.Join(dir, tipsDir))
	if err != nil {
		return nil, err
	}
	type tip struct {
		id   id
		when time.Time
	}
	var tips []tip
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !plumbing.IsHash(e.Name()) {
			return nil, fmt.Errorf("%s/%s is no commit", tipsDir, e.Name())
		}
		tips = append(tips, tip{plumbing.NewHash(e.Name()), info.ModTime()})
	}
	slices.SortFunc(tips, func(a, b tip) int {
		return cmp.Or(b.when.Compare(a.when), cmp.Compare(a.id.String(), b.id.String()))
	})
	ids := make([]id, len(tips))
	for i, t := range tips {
		ids[i] = t.id
	}
	return ids, nil
}

// addTip records a fetched commit and forgets the oldest beyond maxTips. Their
// objects stay.
func addTip(dir string, commit id) error {
	path := filepath.Join(dir, tipsDir, commit.String())
	tmp := filepath.Join(dir, "tip.tmp")
	if err := os.WriteFile(tmp, []byte(commit.String()+"\n"), 0o600); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	tips, err := readTips(dir)
	if err != nil {
		return err
	}
	for i := maxTips; i < len(tips); i++ {
		err = errors.Join(err, os.Remove(filepath.Join(dir, tipsDir, tips[i].String())))
	}
	return err
}
