// Package docs holds no code; its tests keep the documents true.
package docs

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/reference again")

// TestReference compares the reference of the commands with what the program's own help says.
func TestReference(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED, NOT TESTED: -short does not build mooring to read its help")
	}
	// The go command keeps the result of a test until a file that the test has looked at changes. It cannot know what
	// the build reads.
	sources, err := filepath.Glob("../cmd/mooring/*.go")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources of mooring: %v", err)
	}
	for _, name := range sources {
		if _, err := os.Stat(name); err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Join(t.TempDir(), "mooring")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../cmd/mooring")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build mooring: %v\n%s", err, out)
	}
	want := reference(t, bin)
	const file = "reference/commands.md"
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("docs/%s is stale; write it again with: make docs\n%s", file, diff)
	}
}

func reference(t *testing.T, bin string) string {
	t.Helper()
	main := help(t, bin, "--help")
	var b strings.Builder
	b.WriteString("# Commands\n\n<!-- Written by `make docs` from the program's own help; a test compares them. -->\n\n")
	fence(&b, main)
	names := commands(main)
	if len(names) < 10 {
		t.Fatalf("the help lists %d commands only: %v", len(names), names)
	}
	for _, name := range names {
		if name == "help" {
			continue
		}
		fmt.Fprintf(&b, "\n## mooring %s\n\n", name)
		fence(&b, help(t, bin, name, "--help"))
	}
	return b.String()
}

func fence(b *strings.Builder, text string) {
	fmt.Fprintf(b, "```\n%s\n```\n", strings.TrimRight(text, "\n"))
}

func help(t *testing.T, bin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), bin, args...)
	cmd.Env = []string{"NO_COLOR=1", "HOME=" + t.TempDir()}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("mooring %v: %v\n%s", args, err, &stderr)
	}
	return string(out)
}

// commands reads the names from the groups of the help, between its examples and its flags.
func commands(help string) []string {
	_, help, _ = strings.Cut(help, "\nExamples:\n")
	_, help, _ = strings.Cut(help, "\n\n")
	help, _, _ = strings.Cut(help, "\nFlags:\n")
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+) +\S`).FindAllStringSubmatch(help, -1) {
		names = append(names, m[1])
	}
	return names
}

// TestConfigurationNamesEveryKey compares configuration.md with the schemas in the code, key by key.
func TestConfigurationNamesEveryKey(t *testing.T) {
	page, err := os.ReadFile("configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	mooring, server, ok := strings.Cut(string(page), "\n## server.hcl\n")
	if !ok {
		t.Fatal("configuration.md has no section server.hcl")
	}
	for _, c := range []struct{ name, text, dir string }{
		{"mooring.hcl", mooring, "../workspace"},
		{"server.hcl", server, "../cmd/mooring/serverconfig"},
	} {
		if diff := cmp.Diff(keysOfCode(t, c.dir), keysOfPage(c.text)); diff != "" {
			t.Errorf("%s: keys in the code (-) and in configuration.md (+) differ:\n%s", c.name, diff)
		}
	}
}

var row = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|")

func keysOfPage(text string) []string {
	var keys []string
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		keys = append(keys, m[1])
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// makers are the functions that make a schema from names.
var makers = map[string]bool{"attributes": true, "schemaOf": true}

// keysOfCode reads the names of attributes from the HCL schemas of a package: literals of hcl.AttributeSchema, and
// calls of the functions that make some.
func keysOfCode(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no Go files in %s: %v", dir, err)
	}
	var keys []string
	add := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				keys = append(keys, s)
			}
		}
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if dir == "../workspace" && !strings.HasSuffix(name, "/config.go") {
			continue // the other schemas there are Terraform's
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.CallExpr:
				if id, ok := x.Fun.(*ast.Ident); ok && makers[id.Name] {
					for _, arg := range x.Args {
						add(arg)
					}
				}
			case *ast.CompositeLit:
				if isAttributes(x.Type) {
					for _, e := range x.Elts {
						addName(e, add)
					}
				}
			}
			return true
		})
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// isAttributes tells []hcl.AttributeSchema.
func isAttributes(e ast.Expr) bool {
	list, ok := e.(*ast.ArrayType)
	if !ok {
		return false
	}
	sel, ok := list.Elt.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "AttributeSchema"
}

func addName(e ast.Expr, add func(ast.Expr)) {
	lit, ok := e.(*ast.CompositeLit)
	if !ok {
		return
	}
	for _, field := range lit.Elts {
		if kv, ok := field.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Name" {
				add(kv.Value)
			}
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#\s]*)(#[^)\s]*)?\)`)

// TestLinks follows every relative link of the documents, to headings as well.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, "../README.md", "../CONTRIBUTING.md", "reference/commands.md")
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			info, err := os.Stat(target)
			if err != nil {
				t.Errorf("%s: link to %s: %v", page, m[1], err)
				continue
			}
			if m[2] != "" && !info.IsDir() && !slices.Contains(headings(t, target), m[2]) {
				t.Errorf("%s: %s has no heading %s", page, target, m[2])
			}
		}
	}
}

var notInAnchor = regexp.MustCompile(`[^a-z0-9 _-]`)

// headings answers the anchors of a page as forges make them.
func headings(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var anchors []string
	for line := range strings.Lines(string(text)) {
		if title := strings.TrimLeft(line, "#"); title != line {
			clean := notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			anchors = append(anchors, "#"+strings.ReplaceAll(clean, " ", "-"))
		}
	}
	return anchors
}
