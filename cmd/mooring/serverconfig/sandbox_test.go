package serverconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSandboxModes(t *testing.T) {
	checkMistakes(t, noEnv, []mistake{
		{"as an argument", `sandbox = "off"`, nil, ""},
		{"both, with one mode", "sandbox = \"required\"\nsandbox {}", nil, ""},
		{"two modes", "sandbox = \"required\"\nsandbox {\n mode = \"off\"\n}", []string{"4: Two sandbox modes"}, "server.hcl:2 and at server.hcl:4"},
		{"unknown mode", `sandbox = "requierd"`, []string{"2: Unknown value"}, `did you mean "required"?`},
		{"unknown mode of a block", "sandbox {\n mode = \"none\"\n}", []string{"3: Unknown value"}, `"auto", "required" or "off"`},
		{"two blocks", "sandbox {}\nsandbox {}", []string{"3: Duplicate sandbox block"}, "server.hcl:2"},
		{"unknown argument", "sandbox {\n reed = []\n}", []string{"3: Unsupported argument"}, `Did you mean "read"?`},
		{"no list", "sandbox {\n read = \"/etc\"\n}", []string{"3: Wrong type"}, "list of strings"},
		{"empty path", "sandbox {\n read = [\"\"]\n}", []string{"3: Not a path"}, ""},
		{"off with paths", "sandbox {\n mode = \"off\"\n read = [\"/etc\"]\n}", []string{"2: Not used"}, ""},
		{"everything", "sandbox {\n read = [\"/\"]\n}", []string{"3: Not for the sandbox"}, "it is everything"},
		{"its own", "sandbox {\n read = [\n  \"/proc\",\n  \"/sys/fs\",\n ]\n write = [\"/dev/../dev\"]\n}", []string{"4: Not for the sandbox", "5: Not for the sandbox", "7: Not for the sandbox"}, "its own /dev"},
	})
	for src, want := range map[string]string{"": "auto", `sandbox = "off"`: "off", `sandbox { mode = "required" }`: "required", "sandbox = \"required\"\nsandbox {}": "required"} {
		c, files, diags := Parse("server.hcl", []byte("data_dir = \"d\"\n"+src), noEnv)
		if c == nil {
			t.Fatal(printed(t, files, diags))
		}
		if c.Sandbox.Mode != want {
			t.Errorf("%s: mode %q, want %q", src, c.Sandbox.Mode, want)
		}
	}
}

// sandboxed is a directory with a configuration, its data and what lies around it.
func sandboxed(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, sub := range []string{"etc", "var/data/state", "var/beside", "home/modules"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "etc", "key"), "AGE-SECRET-KEY-1X\n", 0o600)
	write(t, filepath.Join(dir, "home", "token"), "t0ken\n", 0o600)
	for link, to := range map[string]string{"link": "var/data", "var/up": "..", "slash": "/"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSandboxShowsNothingThatUndoesIt(t *testing.T) {
	dir := sandboxed(t)
	for _, c := range []struct{ data, path, want string }{
		{"var/data", "var/beside", ""},
		{"var/data", "etc/none", "Path not found"},
		{"var/data", "var/beside/new", "Path not found"},
		{"var/data", "var/data", "Not for the sandbox"},
		{"var/data", "var/data/state", "Not for the sandbox"},
		{"var/data", "var", "Not for the sandbox"},
		{"var/data", "var/dat", "Path not found"}, // a common beginning is no ancestor
		{"var/data", "link", "Not for the sandbox"},
		{"var/data", "link/state", "Not for the sandbox"},
		{"var/data", "var/up", "Not for the sandbox"},
		{"var/data", "slash", "Not for the sandbox"},
		{"link", "var/data/state", "Not for the sandbox"},
		{"link/new", "var", "Not for the sandbox"}, // the data directory is not made yet
		{"var/data", "etc", "Not for the sandbox"}, // the key
		{"var/data", "etc/key", "Not for the sandbox"},
		{"var/data", "conf", "Terraform sees this file"},
		{"var/data", "home", "Terraform sees a secret"},
		{"var/data", "home/modules", ""},
		{"var/data", "~/modules", ""},
	} {
		for _, key := range []string{"read", "write"} {
			t.Run(fmt.Sprintf("%s %s with %s", key, c.path, c.data), func(t *testing.T) {
				src := fmt.Sprintf("data_dir = \"../%s\"\nkey_file = \"../etc/key\"\nrepository \"a\" {\n url = \"https://h/x\"\n token = file(\"../home/token\")\n}\nsandbox {\n%s = [%q]\n}", c.data, key, c.path)
				if !strings.HasPrefix(c.path, "~") {
					src = strings.Replace(src, c.path+`"]`, filepath.Join(dir, c.path)+`"]`, 1)
				}
				if err := os.MkdirAll(filepath.Join(dir, "conf"), 0o700); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, "conf", "server.hcl")
				_, files, diags := Parse(path, []byte(src), vars(map[string]string{"HOME": filepath.Join(dir, "home")}))
				got := ""
				for _, d := range diags {
					got += d.Summary
					if d.Subject.Start.Line != 8 || !strings.Contains(d.Detail, filepath.Base(c.path)) {
						t.Errorf("the line and the path are not said:\n%s", printed(t, files, diags))
					}
				}
				if got != c.want {
					t.Errorf("got %q, want %q:\n%s", got, c.want, printed(t, files, diags))
				}
			})
		}
	}
}

func TestMirrorsOfTheCLIConfigurationAreShown(t *testing.T) {
	dir := sandboxed(t)
	at := func(p string) string { return filepath.Join(dir, p) }
	for name, c := range map[string]struct {
		tfrc string
		want []string
		says string
	}{
		"a mirror":           {"provider_installation {\n filesystem_mirror {\n  path = %q\n  include = [\"a/*\"]\n }\n direct {}\n}", []string{at("var/beside")}, ""},
		"an override, HCL 1": {"provider_installation {\n dev_overrides {\n  \"acme/x\" = %q\n }\n}", []string{at("var/beside")}, ""},
		"an override, HCL 2": {"provider_installation {\n dev_overrides = {\n  \"acme/x\" = %q\n }\n}", []string{at("var/beside")}, ""},
		"listed already":     {"provider_installation {\n filesystem_mirror {\n  path = %q\n }\n}\n# home", []string{at("var/beside")}, ""},
		"absent":             {"provider_installation {\n filesystem_mirror {\n  path = \"/none/here\"\n }\n}\n# %q", nil, ""},
		"relative":           {"provider_installation {\n filesystem_mirror {\n  path = \"etc\"\n }\n}\n# %q", nil, ""},
		"another block":      {"credentials \"h\" {\n token = %[1]q\n}\nx { filesystem_mirror { path = %[1]q } }", nil, ""},
		"no HCL":             {"}}}} provider_installation { path = %q", nil, ""},
		"the data directory": {"provider_installation {\n filesystem_mirror {\n  path = \"" + at("var") + "\"\n }\n}\n# %q", nil, "it holds the data_dir"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, at("etc/tfrc"), fmt.Sprintf(c.tfrc, at("var/beside")), 0o600)
			src := "data_dir = \"../var/data\"\ncli_config = \"tfrc\"\n"
			if name == "listed already" {
				src += "sandbox { read = [\"../var/beside\"] }"
			}
			got, files, diags := Parse(at("etc/server.hcl"), []byte(src), noEnv)
			if got == nil {
				t.Fatal(printed(t, files, diags))
			}
			if diff := cmp.Diff(c.want, got.Sandbox.Read); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
			if out := printed(t, files, diags); (c.says == "") != (len(diags) == 0) || !strings.Contains(out, c.says) {
				t.Errorf("want %q:\n%s", c.says, out)
			}
		})
	}
}
