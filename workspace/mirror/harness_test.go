package mirror_test

import (
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/workspace/mirror"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

// transports are the ways in which every test of the suite reads a repository.
var transports = []struct {
	name  string
	serve func(t *testing.T, dir string) mirror.Remote
}{
	{"path", func(_ *testing.T, dir string) mirror.Remote { return mirror.Remote{URL: dir} }},
	{"http", func(t *testing.T, dir string) mirror.Remote {
		server := githttp.New(t, filepath.Dir(dir))
		server.RequireToken("let-me-in")
		return mirror.Remote{URL: server.RepositoryURL(filepath.Base(dir)), Token: "let-me-in"}
	}},
	{"ssh", func(t *testing.T, dir string) mirror.Remote { return serveSSH(t).remote(t, dir) }},
}

// eachTransport runs a test against an empty repository, once a transport.
func eachTransport(t *testing.T, test func(t *testing.T, repo *githttp.Repo, remote mirror.Remote)) {
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			repo := newRepo(t, nil)
			test(t, repo, tr.serve(t, repo.Dir))
		})
	}
}

func newRepo(t *testing.T, files map[string]string) *githttp.Repo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is needed to make test repositories")
		}
		t.Skip("SKIPPED: git is not installed, no test repository can be made")
	}
	return githttp.NewRepo(t, filepath.Join(t.TempDir(), "infra.git"), files)
}

func open(t *testing.T, remote mirror.Remote) *mirror.Mirror {
	t.Helper()
	return openIn(t, t.TempDir(), remote)
}

func openIn(t *testing.T, dir string, remote mirror.Remote) *mirror.Mirror {
	t.Helper()
	m, err := mirror.Open(dir, remote)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// fetch polls and fetches what the poll names.
func fetch(t *testing.T, m *mirror.Mirror) string {
	t.Helper()
	head, err := m.Poll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fetchCommit(t, m, head.Commit)
	return head.Commit
}

func fetchCommit(t *testing.T, m *mirror.Mirror, commit string) {
	t.Helper()
	if err := m.Fetch(t.Context(), commit); err != nil {
		t.Fatal(err)
	}
}

func checkout(t *testing.T, m *mirror.Mirror, commit string) *mirror.Checkout {
	t.Helper()
	c, err := m.Checkout(t.Context(), commit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Release(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// onDisk lists a directory as "path mode content", links as "path -> target".
func onDisk(t *testing.T, dir string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			seen[rel] = info.Mode().String()
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			seen[rel] = "-> " + target
			return err
		default:
			content, err := os.ReadFile(path)
			seen[rel] = info.Mode().String() + " " + string(content)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// snapshot lists all files below dir with size and time: it tells any write.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		seen[path] = info.Mode().String() + info.ModTime().String()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// sshServer is a real ssh server whose only command is git-upload-pack.
type sshServer struct {
	addr     string
	hostKey  ssh.Signer
	client   ed25519.PrivateKey
	requests sync.Map // commands that were run
}

func newSigner(t testing.TB) (ed25519.PrivateKey, ssh.Signer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, signer
}

func serveSSH(t testing.TB) *sshServer {
	t.Helper()
	s := &sshServer{}
	_, s.hostKey = newSigner(t)
	var allowed ssh.Signer
	s.client, allowed = newSigner(t)
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if c.User() != "git" || string(key.Marshal()) != string(allowed.PublicKey().Marshal()) {
				return nil, errors.New("not you")
			}
			return nil, nil
		},
	}
	config.AddHostKey(s.hostKey)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	var conns sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); conns.Wait() })
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { s.serve(conn, config) })
		}
	})
	return s
}

func (s *sshServer) serve(conn net.Conn, config *ssh.ServerConfig) {
	defer func() { _ = conn.Close() }()
	c, chans, reqs, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	go ssh.DiscardRequests(reqs)
	for ch := range chans {
		channel, requests, err := ch.Accept()
		if err != nil {
			return
		}
		for req := range requests {
			if req.Type != "exec" {
				_ = req.Reply(false, nil)
				continue
			}
			_ = req.Reply(true, nil)
			command := string(req.Payload[4:])
			s.requests.Store(command, true)
			s.exec(channel, command)
			_ = channel.Close()
		}
	}
}

// exec runs what the client sent as sshd does: by a shell.
func (s *sshServer) exec(channel ssh.Channel, command string) {
	cmd := exec.Command("sh", "-c", command)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}
	cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return
	}
	if err := cmd.Start(); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(stdin, channel)
		_ = stdin.Close()
	}()
	status := []byte{0, 0, 0, 0}
	if err := cmd.Wait(); err != nil {
		status[3] = 128
	}
	_, _ = channel.SendRequest("exit-status", false, status)
}

func (s *sshServer) key(t testing.TB, passphrase string) []byte {
	t.Helper()
	var block *pem.Block
	var err error
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(s.client, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(s.client, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

// knownHosts writes a file that vouches for key.
func (s *sshServer) knownHosts(t testing.TB, key ssh.PublicKey) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(path, []byte(knownhosts.Line([]string{s.addr}, key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *sshServer) remote(t testing.TB, dir string) mirror.Remote {
	return mirror.Remote{
		URL:        "ssh://git@" + s.addr + dir,
		SSHKey:     s.key(t, ""),
		KnownHosts: s.knownHosts(t, s.hostKey.PublicKey()),
	}
}

// without checks that no text of an error gives a secret away.
func without(t *testing.T, err error, secret string) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error(), secret) {
			t.Errorf("error holds the secret: %v", e)
		}
	}
}

// packSizes returns the bytes of each pack of the mirrors below dir.
func packSizes(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	sizes := map[string]int64{}
	packs, err := filepath.Glob(filepath.Join(dir, "*/git/objects/pack/*.pack"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packs {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		sizes[p] = info.Size()
	}
	return sizes
}

func pemOf(certificate []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
}
