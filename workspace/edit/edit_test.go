package edit

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what comes out into testdata")

// A story is a txtar of a unit's files, of changes.json, and of what must come out: want/FILE for each edited file, and
// refused, a line for each change that is not made. The comment at its head may say dir, and own, if they are not infra.
func TestStories(t *testing.T) {
	stories, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(stories) < 40 {
		t.Fatalf("%d stories, %v", len(stories), err)
	}
	for _, story := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(story), ".txtar"), func(t *testing.T) { tell(t, story) })
	}
}

func tell(t *testing.T, story string) {
	archive, err := txtar.ParseFile(story)
	if err != nil {
		t.Fatal(err)
	}
	source := Source{Dir: "infra", Files: map[string][]byte{}, Own: map[string]bool{}}
	own := "infra"
	for line := range strings.Lines(string(archive.Comment)) {
		if said, ok := strings.CutPrefix(strings.TrimSpace(line), "own:"); ok {
			own = said
		}
	}
	for _, dir := range strings.Fields(own) {
		source.Own[dir] = true
	}
	var changes []Change
	var input []txtar.File
	want := map[string]string{}
	for _, f := range archive.Files {
		switch {
		case f.Name == "changes.json":
			d := json.NewDecoder(bytes.NewReader(f.Data))
			d.DisallowUnknownFields()
			if err := d.Decode(&changes); err != nil {
				t.Fatal(err)
			}
		case f.Name == "refused" || strings.HasPrefix(f.Name, "want/"):
			want[f.Name] = string(f.Data)
			continue
		default:
			source.Files[f.Name] = f.Data
		}
		input = append(input, f)
	}
	before := map[string]string{}
	for name, text := range source.Files {
		before[name] = string(text)
	}
	edited, done, refused := Rewrite(source, changes)
	if len(done)+len(refused) != len(changes) {
		t.Errorf("of %d changes %d are done and %d refused", len(changes), len(done), len(refused))
	}
	got := map[string]string{}
	for name, text := range edited {
		if _, known := source.Files[name]; !known {
			t.Errorf("%s was made", name)
		}
		got["want/"+name] = string(text)
	}
	for name, text := range before {
		if string(source.Files[name]) != text {
			t.Errorf("%s of the source was written into", name)
		}
	}
	var said strings.Builder
	for _, r := range refused {
		fmt.Fprintf(&said, "%s:%d: %s: %s\n", r.File, r.Line, r.Change.Address, r.Why)
	}
	if said.Len() > 0 {
		got["refused"] = said.String()
	}
	if *update {
		archive.Files = input
		for _, name := range slices.Sorted(maps.Keys(got)) {
			archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(got[name])})
		}
		if err := os.WriteFile(story, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if len(got) == 0 {
		t.Error("nothing was edited or refused")
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("no %s", name)
		}
	}
	for name, text := range got {
		if text != want[name] {
			t.Errorf("%s:\n%s\nwant:\n%s", name, text, want[name])
		}
	}
}
