package serverconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLimits(t *testing.T) {
	checkMistakes(t, noEnv, []mistake{
		{"no limit at all", "timeouts {\n init = \"0\"\n plan = \"0\"\n apply = \"0\"\n}", nil, ""},
		{"empty blocks", "timeouts {}\nkeep {}", nil, ""},
		{"twice", "timeouts {}\ntimeouts {}\nkeep {}\nkeep {}", []string{"3: Duplicate timeouts block", "5: Duplicate keep block"}, "server.hcl:4"},
		{"bad timeouts", "timeouts {\n init = \"10\"\n plan = \"-1s\"\n apply = 5\n refresh = \"1m\"\n}", []string{"3: Not a duration", "4: Too short", "5: Wrong type", "6: Unsupported argument"}, `"30s"`},
		{"bad bounds", "keep {\n runs = 0\n age = \"30\"\n size = \"10 gigs\"\n}", []string{"3: Out of range", "4: Not a duration", "5: Not a size"}, `"10GiB"`},
		{"small bounds", "keep {\n age = \"0d\"\n size = \"1KiB\"\n}", []string{"3: Too short", "4: Too small"}, "at least 1h0m0s"},
		{"no floor", `min_free = "0"`, []string{"2: Too small"}, "at least 1MiB"},
		{"no floor as a number", `min_free = 0`, []string{"2: Out of range"}, ""},
		{"negative floor", `min_free = "-1MiB"`, []string{"2: Not a size"}, ""},
		{"fraction", `min_free = "1.5GiB"`, []string{"2: Not a size"}, "whole number"},
		{"short unit", `min_free = "64M"`, []string{"2: Not a size"}, `"64MiB"`},
		{"beyond 64 bits", `min_free = "99999999999999TiB"`, []string{"2: Not a size"}, "larger than any disk"},
	})
}

func TestSizesAndAges(t *testing.T) {
	for _, c := range []struct {
		text string
		want uint64
	}{
		{`"64MiB"`, 64 << 20}, {`"2 GiB"`, 2 << 30}, {`"3TiB"`, 3 << 40}, {`"1024KiB"`, 1 << 20}, {`"5MB"`, 5e6}, {`"5000kB"`, 5e6},
		{`"5000KB"`, 5e6}, {`"1GB"`, 1e9}, {`"2TB"`, 2e12}, {`"2000000"`, 2e6}, {`"2000000B"`, 2e6}, {`2000000`, 2e6},
	} {
		got, files, diags := Parse("server.hcl", fmt.Appendf(nil, "data_dir = \"d\"\nmin_free = %s\nkeep { size = %s }", c.text, c.text), noEnv)
		if got == nil {
			t.Fatal(printed(t, files, diags))
		}
		if got.MinFree != c.want || got.Keep.Size != c.want {
			t.Errorf("%s: %d and %d, want %d", c.text, got.MinFree, got.Keep.Size, c.want)
		}
	}
	for text, want := range map[string]time.Duration{"90d": 2160 * time.Hour, "1d": 24 * time.Hour, "2160h": 2160 * time.Hour, "99999d": 99999 * 24 * time.Hour} {
		got, files, diags := Parse("server.hcl", fmt.Appendf(nil, "data_dir = \"d\"\nkeep { age = %q }", text), noEnv)
		if got == nil {
			t.Fatal(printed(t, files, diags))
		}
		if got.Keep.Age != want {
			t.Errorf("%s: %s, want %s", text, got.Keep.Age, want)
		}
	}
}

func TestKeyInPlaceOfItsFileIsNotShown(t *testing.T) {
	checkMistakes(t, noEnv, []mistake{
		{"the key itself", `key_file = "AGE-SECRET-KEY-1canary"`, []string{"2: Secret in the file"}, "path of a file"},
	})
}

func TestKeyFile(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, text string
		mode       os.FileMode
		want, says string
	}{
		{"good", "# created: today\nAGE-SECRET-KEY-1X\n", 0o600, "", ""},
		{"good and read-only", "AGE-SECRET-KEY-1X", 0o400, "", ""},
		{"group may read", "AGE-SECRET-KEY-1canary", 0o640, "Others may use the key", "mode 0640 and opens every saved plan: chmod 600 "},
		{"all may read", "AGE-SECRET-KEY-1canary", 0o604, "Others may use the key", "mode 0604"},
		{"no key", "canary", 0o600, "Not a key", "age-keygen"},
		{"empty", "", 0o600, "Not a key", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := filepath.Join(dir, c.name)
			write(t, key, c.text, c.mode)
			checkKey(t, dir, key, c.want, c.says)
		})
	}
	t.Run("absent", func(t *testing.T) {
		checkKey(t, dir, filepath.Join(dir, "none"), "Cannot read the key", "age-keygen -o")
	})
	t.Run("a directory", func(t *testing.T) { checkKey(t, dir, dir, "Cannot read the key", "is not a file") })
}

func checkKey(t *testing.T, dir, key, want, says string) {
	t.Helper()
	got, files, diags := Parse(filepath.Join(dir, "server.hcl"), fmt.Appendf(nil, "data_dir = \"d\"\nkey_file = %q", key), noEnv)
	out := printed(t, files, diags)
	if want == "" {
		if got == nil || got.KeyFile != key || len(diags) > 0 {
			t.Errorf("the key is not taken:\n%s", out)
		}
		return
	}
	if got != nil || len(diags) != 1 || diags[0].Summary != want || diags[0].Subject.Start.Line != 2 {
		t.Errorf("want %q of line 2:\n%s", want, out)
	}
	if !strings.Contains(out, key) || !strings.Contains(out, says) || strings.Contains(out, "canary") {
		t.Errorf("want %s and %q:\n%s", key, says, out)
	}
}
