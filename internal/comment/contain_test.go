package comment

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

var (
	ourHTML = regexp.MustCompile(`^(<details( open)?><summary><code>[^<>]*</code>: [^<>]*</summary>|<details><summary>As Terraform says it</summary>|</details>|<!-- [a-zA-Z0-9:%._/-]+ -->)$`)
	// What forges look for in text that is not code. It is searched for in what Markdown leaves of the text.
	alive  = regexp.MustCompile(`@[\w-]|(?:^|\W)(?:[#~%$&][\w{"]|!\w)|\b[0-9a-fA-F]{7,}\b|://|\bwww\.\S|\b[A-Z]+-[0-9]|:[a-z0-9_+-]+:|\[\[|<[a-zA-Z/!]`)
	robots = regexp.MustCompile(`(?m)^(mooring|atlantis|digger|/)`)
)

// check parses a comment as a forge does and holds what is in it against what may be.
func check(t testing.TB, r Report, body string, limit int) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		if len(body) > 6000 {
			body = body[:3000] + "\n[…]\n" + body[len(body)-3000:]
		}
		t.Fatalf(format+"\nin:\n%s", append(args, body)...)
	}
	if len(body) > limit {
		fail("%d bytes, want at most %d", len(body), limit)
	}
	if !utf8.ValidString(body) {
		fail("not UTF-8")
	}
	if i := strings.IndexFunc(body, func(r rune) bool { return dangerous(r) && r != '\u200b' && r != '\uFFFD' || r == '\r' }); i >= 0 {
		fail("a character that hides or controls: %q", body[i:min(len(body), i+10)])
	}
	if m := robots.FindString(body); m != "" {
		fail("a line begins with %q", m)
	}
	if m := hidden(r.Marker); m != "" && (strings.Count(body, m) != 1 || !HasMarker(body, r.Marker)) {
		fail("the marker is not there once, at the end")
	}
	if strings.Count(body, "<!--") > 1 {
		fail("there are two comments of HTML")
	}
	links := map[string]bool{r.URL: true}
	for _, u := range r.Units {
		links[u.URL] = true
	}
	src := []byte(body)
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote, extension.DefinitionList)).Parser().Parse(text.NewReader(src))
	var html []string
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.HTMLBlock:
			lines := strings.TrimSpace(htmlText(n, src))
			for _, l := range strings.Split(lines, "\n") {
				if !ourHTML.MatchString(strings.TrimSpace(l)) {
					return ast.WalkStop, fmt.Errorf("HTML that is not ours: %q", l)
				}
				html = append(html, l)
			}
		case *ast.RawHTML, *ast.AutoLink, *ast.Image, *ast.CodeBlock, *ast.Blockquote, *ast.ThematicBreak, *extast.Strikethrough, *extast.TaskCheckBox, *extast.FootnoteLink:
			return ast.WalkStop, fmt.Errorf("a %s", n.Kind())
		case *ast.Heading:
			if n.Level != 3 || n.PreviousSibling() != nil {
				return ast.WalkStop, fmt.Errorf("a heading of level %d", n.Level)
			}
		case *ast.List:
			if n.IsOrdered() || n.Parent() != doc {
				return ast.WalkStop, fmt.Errorf("a list inside another, or with numbers")
			}
		case *ast.Link:
			if !links[string(n.Destination)] {
				return ast.WalkStop, fmt.Errorf("a link to %q", n.Destination)
			}
		case *ast.Emphasis:
			if n.Level != 2 {
				return ast.WalkStop, fmt.Errorf("emphasis of level %d", n.Level)
			}
		case *ast.FencedCodeBlock:
			if l := string(n.Language(src)); l != "" && l != "diff" {
				return ast.WalkStop, fmt.Errorf("code of language %q", l)
			}
		case *ast.Paragraph, *ast.TextBlock, *extast.TableCell:
			if said := bare(n, src); alive.MatchString(said) {
				return ast.WalkStop, fmt.Errorf("%q is alive in %q", alive.FindString(said), said)
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		fail("%v", err)
	}
	depth := 0
	for _, h := range html {
		switch {
		case strings.HasPrefix(h, "<details"):
			depth++
		case h == "</details>":
			depth--
		}
		if depth < 0 || depth > 2 {
			fail("sections are %d deep", depth)
		}
	}
	if depth != 0 {
		fail("%d sections are not closed", depth)
	}
	if r.Marker != "" && (len(html) == 0 || html[len(html)-1] != hidden(r.Marker)) {
		fail("the last HTML is not the marker")
	}
}

func htmlText(n *ast.HTMLBlock, src []byte) string {
	s := string(n.Lines().Value(src))
	if n.HasClosure() {
		s += string(n.ClosureLine.Value(src))
	}
	return s
}

// bare is what a forge sees of a block after Markdown, its code left out.
func bare(n ast.Node, src []byte) string {
	var b bytes.Buffer
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.CodeSpan:
			if entering {
				b.WriteByte('\x01')
			}
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			if entering {
				b.Write(n.Segment.Value(src))
			}
		}
		return ast.WalkContinue, nil
	})
	return entities.ReplaceAllStringFunc(b.String(), func(e string) string {
		var r rune
		if _, err := fmt.Sscanf(e, "&#%d;", &r); err != nil {
			return e
		}
		return string(r)
	})
}

var entities = regexp.MustCompile(`&#[0-9]+;`)

// skeleton is the structure of a comment: its blocks, without what is in them.
func skeleton(body string) string {
	src := []byte(body)
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(src))
	var kinds []string
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if n.Type() == ast.TypeInline {
			return ast.WalkSkipChildren, nil
		}
		if entering {
			kinds = append(kinds, n.Kind().String())
		} else {
			kinds = append(kinds, "/")
		}
		return ast.WalkContinue, nil
	})
	return strings.Join(kinds, " ")
}

// everywhere is a report with one text in each place that has a text.
func everywhere(s string) Report {
	u := Unit{ID: s, Kind: s, Status: s, Reason: s, Error: s, Policy: s, Notes: []string{s}, Add: 1, Change: 2, Destroy: 3, Removal: true, Difference: s, Diff: s, Text: s, URL: s, Seconds: 2, Objects: []Object{{Ref: s, Action: s, Diff: s, Note: s}}}
	folded := u
	folded.Error, folded.Reason = "", strings.Repeat(s+" ", longestCell)
	return Report{Marker: Marker(s, s, 7, s), Title: s, Head: s, Base: s, Run: s, URL: s, Seconds: 1, Failed: s, Notes: []string{s, s}, Waits: []string{s}, Next: []Next{{s, s}}, Units: []Unit{u, folded, {ID: s, Status: "deferred", Reason: s}, {ID: s, Status: "unchanged"}}}
}

func FuzzRender(f *testing.F) {
	for _, s := range append(seeds(), monster, column0) {
		f.Add(s, 65_000)
		f.Add(s, 5000)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		r := everywhere(s[:min(len(s), 3000)]) // what is longer is cut in the comment
		limit = max(200, min(limit, 1<<20))
		check(t, r, Render(r, limit), limit)
		if r.Marker = s; !strings.Contains(hidden(s), " ") {
			check(t, r, Render(r, limit), limit)
		}
		// The structure of the comment is the same whatever the texts are, as long as there is room for them.
		if visible := strings.Trim(cleanLine(s), "` "); visible == "" || safeURL(s) != "" {
			return
		}
		s = strings.ReplaceAll(s, "unchanged", "u")
		got, want := Render(everywhere(s), 1<<24), Render(everywhere(strings.Repeat("w", utf8.RuneCountInString(s))), 1<<24)
		if a, b := skeleton(got), skeleton(want); a != b {
			t.Fatalf("%q changes the structure:\n got %s\nwant %s\nin:\n%s", s, a, b, got)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	for _, s := range append(seeds(), monster, Help()) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := Marker("answer", "a/b", 1, s)
		r := Report{Marker: m}
		check(t, r, Answer(m, s), 1<<30)
		if HasMarker(Answer("", s), m) {
			t.Fatal("a marker was forged")
		}
	})
}

func seeds() []string {
	return []string{
		"word", "@org/team", "#12", "x `a` y", "`` ` ``", "a|b", `a\|b`, "\\", "-", "1.", "- [x] a", "===", "---", "~~~", "```diff\n", "<details>", "</details>", "<!-- x -->", "-->",
		"[a](https://b)", "[a]: https://b", "![a](b)", "<https://a>", "https://a.b", "www.a.b", "a@b.c", "deadbeef", "1234567", "ABC-1", ":tada:", "$x$", "&#64;a", "&amp;", "\t x", "    x",
		"mooring apply", "atlantis plan", "/merge", "\r/merge", "\u2028/merge", "\u0085x", "> x", "# x", "* x", "+ x", "| a |\n|---|", "a\n===", "a\n\n/close", "[^1]\n[^1]: x", "a\n: b", strings.Repeat("`", 40),
		"x\x00y", "\xff", "\ufeff", "ａ＠ｂ", "(@a)", "'@a'", "\"#1\"", "((#1", "!#1!", "a:@b", "50%", "%1", "~1", "[vulnerability:1]", "a..b", "1.5", "a_b_c", "*a*", "**", "<b>", "{+ a +}", "`@a`@b", "x`y`#1`z`",
	}
}

// A long text is one block of code as well, cut or not.
func TestContainedWhereItIsCut(t *testing.T) {
	for _, s := range slices.Concat(seeds(), []string{monster}) {
		r := everywhere(strings.Repeat(s+"\n", 80))
		for _, limit := range []int{4500, 12_000} {
			check(t, r, Render(r, limit), limit)
		}
	}
}

// Tokens that mean something, put together at random, find what whole texts do not.
func TestContainedAtRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 5))
	tokens := slices.Concat(seeds(), strings.Split("` `` ``` | \\ < > & # ! @ ~ $ % ^ * _ - + = [ ] ( ) { } : ; ' \" , . / ? a B 1 é", " "), []string{" ", "\n", "\n\n", "\t", "    "})
	m := Marker("answer", "a/b", 1)
	for range 600 {
		var b strings.Builder
		for range 1 + rng.IntN(8) {
			b.WriteString(tokens[rng.IntN(len(tokens))])
		}
		s := b.String()
		check(t, Report{Marker: m}, Answer(m, s), 1<<20)
		r := report(Unit{ID: s, Status: "held", Reason: s, Policy: s, Error: s, Notes: []string{s}, Diff: s})
		r.Title, r.Next = s, []Next{{s, s}}
		check(t, r, Render(r, room), room)
	}
}
