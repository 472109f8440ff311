package edit

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	head = "# Ω before ${x}\nresource \"a_b\" \"first\" {\n  x = \"${var.a}\" # kept\n}\n\nresource \"a_b\" \"c\" {\n"
	tail = "}\n\nlocals {\n  after = [for v in var.all : v] /* kept */\n}\n"
)

// Whatever the file and the value are: nothing panics; what comes out can be read, says the new value, and is byte for byte what it
// was outside of the resource.
func FuzzRewrite(f *testing.F) {
	for _, body := range []string{
		"  x = 1\n", "  x = \"a\" # why\n", "  x = { a = 1 }\n", "  x = {\n    a = 1,\n    b = 2\n  }\n", "  x = [\n    1, # one\n    2\n  ]\n", "  x {\n    a = 1\n  }\n",
		"  x = <<-EOT\n    a\n  EOT\n", "  y = 1\n", "", "  x = var.x\n", "x=[]", "  x = [\"b\", \"a\"]\r\n",
	} {
		for _, change := range [][3]string{
			{`["x"]`, `1`, `2`}, {`["x"]`, `"a"`, `"${x}\n\"\u0000%{"`}, {`["x","a"]`, `1`, `null`}, {`["x"]`, `{"a":1,"b":2}`, `{"b":3,"${c}":[1,"x",null]}`},
			{`["x"]`, `[1,2]`, `[2,3,4]`}, {`["x",0,"a"]`, `1`, `"two"`}, {`["x"]`, `"a\n"`, `"EOT\nb\n"`}, {`["x"]`, `["a","b"]`, `["a","c"]`}, {`["x"]`, `null`, `true`},
		} {
			f.Add(body, change[0], change[1], change[2])
		}
	}
	f.Fuzz(func(t *testing.T, body, path, old, now string) {
		c := Change{Address: "a_b.c"}
		if len(body) > 2000 || len(now) > 2000 || json.Unmarshal([]byte(path), &c.Path) != nil || json.Unmarshal([]byte(old), &c.Old) != nil || json.Unmarshal([]byte(now), &c.New) != nil {
			t.Skip()
		}
		text := head + body + tail
		source := Source{Dir: ".", Files: map[string][]byte{"main.tf": []byte(text)}, Own: map[string]bool{".": true}}
		edited, done, refused := Rewrite(source, []Change{c})
		if string(source.Files["main.tf"]) != text {
			t.Fatal("the source was written into")
		}
		if len(done)+len(refused) != 1 || len(edited) != len(done) {
			t.Fatalf("%d done, %d refused, %d edited", len(done), len(refused), len(edited))
		}
		if len(done) == 0 {
			if why := refused[0].Why; why == "" || !utf8.ValidString(why) {
				t.Fatalf("refused for %q", why)
			}
			return
		}
		got := string(edited["main.tf"])
		if !strings.HasPrefix(got, head) || !strings.HasSuffix(got, tail) {
			t.Fatalf("changed around the resource:\n%s", got)
		}
		if _, diags := hclsyntax.ParseConfig([]byte(got), "main.tf", hcl.InitialPos); diags.HasErrors() {
			t.Fatalf("%v in\n%s", diags, got)
		}
		// Back again is the same values, if not the same text.
		c.Old, c.New = c.New, c.Old
		if c.Old == nil || c.New == nil {
			return
		}
		_, _, refused = Rewrite(Source{Dir: ".", Files: edited, Own: source.Own}, []Change{c})
		for _, r := range refused {
			if r.Why == "the file says something else than what was applied" || r.Why == "the file says so already" {
				t.Fatalf("the live value is not in it: %s\n%s", r.Why, got)
			}
		}
	})
}
