package workspace

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// FuzzConfig feeds any mooring.hcl to a small repository: it is a graph or
// diagnostics, never a panic, and every unit of a graph has a name that is safe.
func FuzzConfig(f *testing.F) {
	f.Add(string(txtar.Parse([]byte(designRepository)).Files[0].Data))
	seeds, err := filepath.Glob("testdata/config/*.hcl")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no corpus: %v", err)
	}
	for _, seed := range seeds {
		src, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	f.Fuzz(func(t *testing.T, config string) {
		tree := treeOf(designRepository)
		tree.files[ConfigFile] = config
		g, err := NewScanner(ScannerOptions{Clusters: []string{"prod"}}).Scan(context.Background(), tree)
		if err != nil {
			var broken *ConfigError
			if !errors.As(err, &broken) || len(broken.Diags) == 0 {
				t.Fatalf("not a configuration error: %v", err)
			}
			var b strings.Builder
			if err := broken.Print(&b, 80, false); err != nil {
				t.Fatal(err)
			}
			return
		}
		for _, u := range g.Units {
			if err := CheckName(u.ID); err != nil {
				t.Fatal(err)
			}
			for _, p := range append([]string{u.Dir, u.Path}, u.VarFiles...) {
				if p != "" && (escapes(p) || CheckName(p) != nil) {
					t.Fatalf("%s has the path %q", u.ID, p)
				}
			}
			if _, err := u.Inputs(func(string) (map[string]Output, bool) { return nil, false }); err != nil && !errors.As(err, new(*ConfigError)) && !errors.Is(err, ErrInputsUnknown) {
				t.Fatal(err)
			}
		}
		if len(g.Order()) != len(g.Units) {
			t.Fatal("units without a place in the order")
		}
	})
}

// FuzzDiscovery feeds any Terraform file, native and JSON, to a repository around it.
func FuzzDiscovery(f *testing.F) {
	for _, file := range txtar.Parse([]byte(designRepository)).Files {
		if strings.HasSuffix(file.Name, ".tf") {
			f.Add(string(file.Data), false)
		}
	}
	f.Add(`{"module": {"m": {"source": "../modules/m"}}, "locals": {"x": "${file(\"x\")}"}}`, true)
	f.Add(`{"terraform": [{"backend": {"s3": {"bucket": "b"}}}]}`, true)
	seeds, err := filepath.Glob("testdata/discovery/*")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no corpus: %v", err)
	}
	for _, seed := range seeds {
		src, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src), strings.HasSuffix(seed, ".json"))
	}
	f.Fuzz(func(t *testing.T, source string, json bool) {
		name := "root/main.tf"
		if json {
			name += ".json"
		}
		tree := treeOf("-- modules/m/main.tf --\nvariable \"x\" {}\n-- other/main.tf --\n# other\n")
		tree.files[name] = source
		s := NewScanner(ScannerOptions{})
		g, err := s.Scan(context.Background(), tree)
		if err != nil {
			var broken *ConfigError // a root that reads its own state in a circle, say
			if !errors.As(err, &broken) {
				t.Fatal(err)
			}
			return
		}
		if g.Unit("other") == nil && !strings.Contains(source, "other") {
			t.Fatal("a file of one root made another vanish")
		}
		for _, u := range g.Units {
			if len(g.Direct([]string{u.Dir + "/x"}, nil)) == 0 {
				t.Fatalf("%s does not use its own directory", u.ID)
			}
			if err := u.Err; err != nil && err.Error() == "" {
				t.Fatal("an error without a text")
			}
		}
		again, err := s.Scan(context.Background(), tree)
		if err != nil || unitIDs(again) != unitIDs(g) || warnings(again) != warnings(g) {
			t.Fatalf("a second scan differs: %v", err)
		}
	})
}
