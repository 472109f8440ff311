package control

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSocketPath is what sockaddr_un holds on Linux, less its final zero byte.
const maxSocketPath = 107

// socketAddress returns a path for the socket that the kernel accepts. A data
// directory may be deeper than the 107 bytes that a socket's address has room
// for; such a one is opened, and the socket addressed through /proc as a file of
// that descriptor: it is the same file, and nobody's current directory has to
// change. The address is good until release is called.
func socketAddress(dataDir string) (address string, release func(), err error) {
	address = filepath.Join(dataDir, SocketName)
	if len(address) <= maxSocketPath {
		return address, func() {}, nil
	}
	fd, err := unix.Open(dataDir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, fmt.Errorf("open %s: %w", dataDir, err)
	}
	// Closed twice, its number might be somebody else's by then.
	release = sync.OnceFunc(func() { _ = unix.Close(fd) })
	return fmt.Sprintf("/proc/self/fd/%d/%s", fd, SocketName), release, nil
}

// listener is a socket together with the descriptor that its address needs.
type listener struct {
	*net.UnixListener
	release func() // may be called more than once
	token   string
}

// tokenName is the file with the word that a client has to say. Whoever connects is
// the server's own user or root already; a confined Terraform is that, too, and rules
// on files do not keep it from a socket. It cannot read this file.
const tokenName = "mooring.token"

func writeToken(dataDir string) (string, error) {
	token := rand.Text()
	file := filepath.Join(dataDir, tokenName)
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("make the token of the control socket: %w", err)
	}
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		return "", fmt.Errorf("make the token of the control socket: %w", err)
	}
	return token, nil
}

func readToken(dataDir string) (string, error) {
	token, err := os.ReadFile(filepath.Join(dataDir, tokenName))
	if err != nil {
		return "", fmt.Errorf("read the token of the control socket: %w", err)
	}
	return string(token), nil
}

// Close ends the socket and removes its file.
func (l *listener) Close() error {
	err := l.UnixListener.Close()
	l.release()
	return err
}

// Accept takes only callers that are this process's user or root, whatever the
// modes of the directories above the socket are.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if peerAllowed(conn) {
			return conn, nil
		}
		_ = conn.Close() // a stranger's connection; how it ends does not matter
	}
}

func peerAllowed(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	var cred *unix.Ucred
	err = raw.Control(func(fd uintptr) {
		cred, _ = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return err == nil && cred != nil && (cred.Uid == 0 || int(cred.Uid) == os.Geteuid())
}

// Listen makes the socket of a data directory. The caller has the database, so
// no other server can be alive and a socket that is there is a dead one's: it is
// removed. The listener removes its own when it is closed.
func Listen(dataDir string) (net.Listener, error) {
	file := filepath.Join(dataDir, SocketName)
	info, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", file, err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("listen on %s: something that is no socket is there already", file)
	default:
		if err := os.Remove(file); err != nil {
			return nil, fmt.Errorf("remove a dead server's socket: %w", err)
		}
	}
	token, err := writeToken(dataDir)
	if err != nil {
		return nil, err
	}
	address, release, err := socketAddress(dataDir)
	if err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
	if err != nil {
		release()
		return nil, fmt.Errorf("listen on %s: %w", file, err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", file, err), l.Close())
	}
	return &listener{UnixListener: l, release: release, token: token}, nil
}

// dial connects to the server of a data directory. ErrNoServer says that none
// listens; a dead one's socket counts as none.
func dial(dataDir string) (net.Conn, error) {
	address, release, err := socketAddress(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoServer
	}
	if err != nil {
		return nil, err
	}
	defer release()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: address, Net: "unix"})
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTSOCK):
		return nil, ErrNoServer
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("a server runs on %s, and its socket may be used by its own user and root only: %w", dataDir, err)
	case err != nil:
		return nil, fmt.Errorf("ask the server of %s: %w", dataDir, err)
	}
	return conn, nil
}
