package mirror

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// HostKeyError refuses an ssh server whose key is not the one on record.
type HostKeyError struct {
	Host        string // host:port
	Fingerprint string // of the key the server showed, as ssh prints it; "" when none was
	KnownHosts  string // the file that was consulted
	Changed     bool   // another key is on record: a new server, or someone in between
	Err         error
}

func (e *HostKeyError) Error() string {
	host, port, _ := net.SplitHostPort(e.Host)
	get := fmt.Sprintf("ssh-keyscan -p %s %s", port, host)
	switch {
	case e.Changed:
		return fmt.Sprintf("the key of %s (%s) is not the one in %s: either the server was set up anew or someone stands in between; compare the fingerprint with what the server's owner publishes before you replace the line",
			e.Host, e.Fingerprint, e.KnownHosts)
	case e.Fingerprint != "":
		return fmt.Sprintf("the key of %s (%s) is not in %s: compare the fingerprint with what the server's owner publishes, then run: %s >> %s",
			e.Host, e.Fingerprint, e.KnownHosts, get, e.KnownHosts)
	case errors.Is(e.Err, fs.ErrNotExist):
		return fmt.Sprintf("there is no file of known host keys at %s: run: %s >> %s, and compare the fingerprint (ssh-keygen -lf %s) with what the server's owner publishes",
			e.KnownHosts, get, e.KnownHosts, e.KnownHosts)
	}
	return fmt.Sprintf("known host keys in %s cannot be used: %v", e.KnownHosts, e.Err)
}

func (e *HostKeyError) Is(target error) bool { return target == ErrHostKey }
func (e *HostKeyError) Unwrap() error        { return e.Err }

// hostKeys checks the key of one server.
type hostKeys struct {
	file       string
	callback   ssh.HostKeyCallback
	algorithms []string // those of the keys on record, so that the server shows one of them
}

// loadHostKeys reads the file of known hosts; "" is the person's own.
func loadHostKeys(file, addr string) (*hostKeys, error) {
	if file == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("%w: no known hosts file is set, and no home directory to look in: %w", ErrHostKey, err)
		}
		file = filepath.Join(home, ".ssh", "known_hosts")
	}
	db, err := knownhosts.NewDB(file)
	if err != nil {
		return nil, &HostKeyError{Host: addr, KnownHosts: file, Err: err}
	}
	return &hostKeys{file: file, callback: db.HostKeyCallback(), algorithms: db.HostKeyAlgorithms(addr)}, nil
}

func (k *hostKeys) check(host string, remote net.Addr, key ssh.PublicKey) error {
	err := k.callback(host, remote, key)
	if err == nil {
		return nil
	}
	var wrong *xknownhosts.KeyError
	changed := errors.As(err, &wrong) && len(wrong.Want) > 0
	return &HostKeyError{Host: host, Fingerprint: ssh.FingerprintSHA256(key), KnownHosts: k.file, Changed: changed, Err: err}
}
