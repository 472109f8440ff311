package serverconfig

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

func TestSopsKey(t *testing.T) {
	dir := t.TempDir()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "key"), id.String()+"\n", 0o600)
	write(t, filepath.Join(dir, "open"), id.String()+"\n", 0o640)
	write(t, filepath.Join(dir, "text"), "no key\n", 0o600)
	for _, tt := range []struct{ block, want string }{
		{`age_key_file = "key"`, ""},
		{`age_key_file = "open"`, "has mode 0640 and opens every encrypted file: chmod 600"},
		{`age_key_file = "text"`, "holds no age identity"},
		{`age_key_file = "none"`, "age_key_file: "},
		{fmt.Sprintf("age_key_file = %q", id.String()), "is the path of a file that holds the key, not the key itself"},
		{`key_service = "sock"`, "keys = [\"arn:…\"] lists what it may be asked for"},
		{"age_key_file = \"key\"\nkeys = [\"a\"]", "No key service"},
		{``, "A sops block names the file of an age identity"},
	} {
		c, files, diags := Parse(filepath.Join(dir, "server.hcl"), []byte("data_dir = \"d\"\nsops {\n"+tt.block+"\n}\n"), noEnv)
		out := printed(t, files, diags)
		if (c != nil) != (tt.want == "") || !strings.Contains(strings.Join(strings.Fields(out), " "), tt.want) {
			t.Errorf("%s: %s", tt.block, out)
		}
		if c != nil && c.Sops.AgeKeyFile != filepath.Join(dir, "key") {
			t.Errorf("the key is %q", c.Sops.AgeKeyFile)
		}
		if strings.Contains(out, id.String()) {
			t.Error("the key is shown")
		}
	}
}
