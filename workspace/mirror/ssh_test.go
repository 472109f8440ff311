package mirror_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/workspace/mirror"
)

func TestSSHHostKeyIsChecked(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n"})
	server := serveSSH(t)
	good := server.remote(t, repo.Dir)
	_, other := newSigner(t)
	empty := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", t.TempDir()) // with no .ssh in it

	tests := []struct {
		name, file string
		changed    bool
		says       []string
	}{
		{"another key on record", server.knownHosts(t, other.PublicKey()), true, []string{"is not the one in", "SHA256:"}},
		{"no key on record", empty, false, []string{"SHA256:", "ssh-keyscan -p ", empty}},
		{"no file", filepath.Join(t.TempDir(), "none"), false, []string{"ssh-keyscan -p "}},
		{"no file at home", "", false, []string{"ssh-keyscan -p ", filepath.Join(".ssh", "known_hosts")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			remote := good
			remote.KnownHosts = tt.file
			m := open(t, remote)
			_, err := m.Poll(t.Context())
			var hostKey *mirror.HostKeyError
			if !errors.Is(err, mirror.ErrHostKey) || !errors.As(err, &hostKey) || hostKey.Changed != tt.changed {
				t.Fatalf("poll: %v", err)
			}
			for _, say := range tt.says {
				if !strings.Contains(err.Error(), say) {
					t.Errorf("%v\ndoes not say %q", err, say)
				}
			}
			if err := m.Fetch(t.Context(), repo.Head("main")); !errors.Is(err, mirror.ErrHostKey) {
				t.Errorf("fetch: %v, want ErrHostKey", err)
			}
			server.requests.Range(func(command, _ any) bool {
				t.Errorf("%v was run on a server that is not trusted", command)
				return false
			})
		})
	}
	fetch(t, open(t, good))
}

func TestSSHKey(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n"})
	server := serveSSH(t)
	good := server.remote(t, repo.Dir)

	locked := good
	locked.SSHKey, locked.SSHKeyPassphrase = server.key(t, "open sesame"), "open sesame"
	fetch(t, open(t, locked))

	locked.SSHKeyPassphrase = ""
	if _, err := mirror.Open(t.TempDir(), locked); !errors.Is(err, mirror.ErrAuth) || !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("locked key without passphrase: %v", err)
	}
	none := good
	none.SSHKey = nil
	if _, err := mirror.Open(t.TempDir(), none); !errors.Is(err, mirror.ErrAuth) {
		t.Errorf("no key: %v", err)
	}
	wrong := good
	wrong.SSHKey = serveSSH(t).key(t, "")
	if _, err := open(t, wrong).Poll(t.Context()); !errors.Is(err, mirror.ErrAuth) || !strings.Contains(err.Error(), `user "git"`) {
		t.Errorf("a key the server does not know: %v", err)
	}
	missing := good
	missing.URL = "ssh://git@" + server.addr + "/no/such/repo.git"
	if _, err := open(t, missing).Poll(t.Context()); !errors.Is(err, mirror.ErrNotFound) {
		t.Errorf("no such repository: %v, want ErrNotFound", err)
	}
}

// What stands in the URL reaches the server's shell as one word.
func TestSSHPathIsQuoted(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n"})
	server := serveSSH(t)
	odd := filepath.Join(t.TempDir(), "it's; touch hacked $(id) `id`.git")
	if err := os.Rename(repo.Dir, odd); err != nil {
		t.Fatal(err)
	}
	remote := server.remote(t, odd)
	remote.URL = "git@[" + server.addr + "]:" + odd
	fetch(t, open(t, remote))
}
