package serverconfig

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// FuzzParse: whatever the file holds, Parse ends, an error means no config, and
// no diagnostic shows what a secret resolved to.
func FuzzParse(f *testing.F) {
	for _, m := range mistakes {
		f.Add([]byte(m.src))
	}
	f.Add([]byte("data_dir = \"d\"\nrepository \"a\" {\n url = <<X\nhttps://a:b@c\nX\n token = <<-Y\n  abc\n  Y\n}"))
	f.Add([]byte("data_dir = \"d\"\nplan_env = {\n A = env(\"X\"), \"B\" : \"${env(\"X\")}\"\n}\napply_env = { A = env(\"X\") }\nsandbox {\n read = [\"~/x\"]\n}"))
	f.Add([]byte("data_dir = \"d\"\nmin_free = \"1GiB\"\nkeep {\n age = \"9d\"\n}\ntimeouts {\n plan = \"0\"\n}\nkey_file = \"k\""))
	for _, m := range reviewMistakes {
		f.Add([]byte("data_dir = \"d\"\n" + m.src))
	}
	const value = "zq7canary"
	env := func(name string) (string, bool) {
		if name == "HOME" { // paths are shown
			return "/home/nobody", true
		}
		return value, true
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if bytes.Contains(src, []byte("zq7")) || bytes.Contains(src, []byte("file(")) {
			t.Skip("the canary is the environment's alone, and files are not for a fuzzer")
		}
		config, files, diags := Parse("server.hcl", src, env)
		if (config == nil) != diags.HasErrors() {
			t.Errorf("config %v, errors %v", config != nil, diags.HasErrors())
		}
		if m := Mask(src); len(m) != len(src) {
			t.Errorf("masking changed the length from %d to %d", len(src), len(m))
		}
		var out bytes.Buffer
		if err := hcl.NewDiagnosticTextWriter(&out, files, 0, false).WriteDiagnostics(diags); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), value) {
			t.Errorf("a secret is shown:\n%s", out.String())
		}
	})
}
