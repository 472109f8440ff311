package mirror

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
)

// go-git lists the directory of the packs while packs come: it must never meet a file that goes meanwhile, for then it takes
// the repository for one without packs.
func TestPacksThatComeDoNotHideThoseThatAreThere(t *testing.T) {
	s := &store{dir: t.TempDir()}
	if err := initStore(s.dir); err != nil {
		t.Fatal(err)
	}
	packDir := filepath.Join(s.dir, "objects", "pack")
	stop, listed := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			if _, err := osfs.New(packDir).ReadDir("."); err != nil {
				listed <- err
				return
			}
			select {
			case <-stop:
				listed <- nil
				return
			default:
			}
		}
	}()
	for i := range 200 {
		blob := &plumbing.MemoryObject{}
		blob.SetType(plumbing.BlobObject)
		if _, err := fmt.Fprint(blob, i); err != nil {
			t.Fatal(err)
		}
		p, err := s.addPack(t.Context(), func(w io.Writer) error {
			return writePack(w, []id{blob.Hash()}, func(id) (plumbing.EncodedObject, error) { return blob, nil })
		}, nil)
		if err != nil || p.objects != 1 {
			t.Fatalf("%d objects, %v", p.objects, err)
		}
	}
	close(stop)
	if err := <-listed; err != nil {
		t.Errorf("list the packs: %v", err)
	}
	if left, err := os.ReadDir(incoming(packDir)); err != nil || len(left) > 0 {
		t.Errorf("left of packs that came: %v, %v", left, err)
	}
}
