package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"golang.org/x/crypto/ssh"
)

// openSSH prepares reading over ssh. go-git's own ssh transport is not used:
// it reads the person's ssh_config and agent, and a server that accepts the
// connection and then says nothing holds it for ever.
func openSSH(remote Remote, loc location) (*netSource, error) {
	if len(remote.SSHKey) == 0 {
		return nil, fmt.Errorf("%w: ssh needs a private key (set the ssh key)", ErrAuth)
	}
	signer, err := parseKey(remote.SSHKey, remote.SSHKeyPassphrase)
	if err != nil {
		return nil, err
	}
	port := loc.port
	if port == "" {
		port = "22"
	}
	d := &sshDialer{
		addr:       net.JoinHostPort(loc.host, port),
		command:    "git-upload-pack " + shellQuote(loc.path),
		user:       loc.user,
		auth:       []ssh.AuthMethod{ssh.PublicKeys(signer)},
		knownHosts: remote.KnownHosts,
	}
	return &netSource{dial: d.dial}, nil
}

func parseKey(pem []byte, passphrase string) (ssh.Signer, error) {
	var signer ssh.Signer
	var err error
	if passphrase == "" {
		signer, err = ssh.ParsePrivateKey(pem)
	} else {
		signer, err = ssh.ParsePrivateKeyWithPassphrase(pem, []byte(passphrase))
	}
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, fmt.Errorf("%w: the ssh key is encrypted and no passphrase is set", ErrAuth)
	case err != nil:
		// x/crypto's errors do not quote the key.
		return nil, fmt.Errorf("%w: ssh key: %w", ErrAuth, err)
	}
	return signer, nil
}

type sshDialer struct {
	addr       string
	command    string
	user       string
	auth       []ssh.AuthMethod
	knownHosts string
}

// dial connects, checks the host key and starts git-upload-pack on the server.
// The end of ctx closes the connection, at whatever point it is.
func (d *sshDialer) dial(ctx context.Context) (transport.UploadPackSession, error) {
	// Read each time: a person who adds the key need not restart the server.
	keys, err := loadHostKeys(d.knownHosts, d.addr)
	if err != nil {
		return nil, err
	}
	conn, err := dialTCP(ctx, "tcp", d.addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	s, err := d.start(conn, keys)
	if err != nil {
		stop()
		_ = conn.Close()
		return nil, err
	}
	s.stop = stop
	return s, nil
}

func (d *sshDialer) start(conn net.Conn, keys *hostKeys) (*sshSession, error) {
	var hostKey error // what keys.check said: the handshake buries it in text
	c, chans, reqs, err := ssh.NewClientConn(conn, d.addr, &ssh.ClientConfig{
		User: d.user,
		Auth: d.auth,
		HostKeyCallback: func(host string, remote net.Addr, key ssh.PublicKey) error {
			hostKey = keys.check(host, remote, key)
			return hostKey
		},
		HostKeyAlgorithms: keys.algorithms,
		Timeout:           30 * time.Second,
	})
	if hostKey != nil {
		return nil, hostKey
	}
	if err != nil {
		// x/crypto has no type for a refused key; every other failure of the
		// connection itself does have one.
		if !isNetwork(err) && strings.Contains(err.Error(), "unable to authenticate") {
			return nil, fmt.Errorf("%w: %w", ErrAuth, err)
		}
		return nil, err
	}
	client := ssh.NewClient(c, chans, reqs)
	session, err := client.NewSession()
	if err != nil {
		_ = client.Close()
		return nil, err
	}
	s := &sshSession{client: client, session: session}
	if s.in, err = session.StdinPipe(); err == nil {
		if s.out, err = session.StdoutPipe(); err == nil {
			session.Stderr = &s.said
			err = session.Start(d.command)
		}
	}
	if err != nil {
		_ = client.Close()
		return nil, err
	}
	return s, nil
}

// sshSession is one git-upload-pack on the server.
type sshSession struct {
	client  *ssh.Client
	session *ssh.Session
	in      io.WriteCloser
	out     io.Reader
	said    firstLines // the server's standard error
	stop    func() bool
	refs    *packp.AdvRefs
}

func (s *sshSession) AdvertisedReferences() (*packp.AdvRefs, error) {
	return s.AdvertisedReferencesContext(context.Background())
}

func (s *sshSession) AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error) {
	if s.refs != nil {
		return s.refs, nil
	}
	ar := packp.NewAdvRefs()
	err := ar.Decode(s.out)
	switch {
	case errors.Is(err, packp.ErrEmptyAdvRefs):
		return nil, ErrEmpty
	case err != nil:
		return nil, s.failure(err)
	case ar.IsEmpty():
		return nil, ErrEmpty
	}
	transport.FilterUnsupportedCapabilities(ar.Capabilities)
	s.refs = ar
	return ar, nil
}

// failure explains why the server's program sent no refs: with what it said on
// its standard error, which is complete once it has exited.
func (s *sshSession) failure(err error) error {
	if !errors.Is(err, packp.ErrEmptyInput) {
		return err
	}
	var exit *ssh.ExitError
	if wait := s.session.Wait(); !errors.As(wait, &exit) {
		return fmt.Errorf("%w: the connection ended before any refs came", ErrUnreachable)
	}
	return fmt.Errorf("%w: the server said: %s", ErrNotFound, s.said.String())
}

func (s *sshSession) UploadPack(ctx context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	if err := req.UploadRequest.Encode(s.in); err != nil {
		return nil, err
	}
	if err := req.UploadHaves.Encode(s.in, false); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(s.in, "0009done\n"); err != nil {
		return nil, err
	}
	res := packp.NewUploadPackResponse(req)
	if err := res.Decode(io.NopCloser(s.out)); err != nil {
		return nil, err
	}
	return res, nil
}

func (s *sshSession) Close() error {
	if s.stop != nil {
		s.stop()
	}
	_, _ = io.WriteString(s.in, "0000") // bids the server farewell; it may be gone
	return s.client.Close()
}

// shellQuote quotes for the shell that runs the command on the server, as
// git's sq_quote_buf does.
func shellQuote(s string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(s) + "'"
}

// firstLines keeps the beginning of what a server says.
type firstLines struct{ text []byte }

func (f *firstLines) Write(p []byte) (int, error) {
	f.text = append(f.text, p[:min(len(p), max(0, 500-len(f.text)))]...)
	return len(p), nil
}

func (f *firstLines) String() string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(f.text), "?")), " ")
}

var _ transport.UploadPackSession = (*sshSession)(nil)
