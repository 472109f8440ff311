package mirror

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// stallTime is how long a connection may stay silent before it is given up,
// whatever the caller's context says. A git server that is busy sends
// keepalives every few seconds.
const stallTime = 2 * time.Minute

// netSource reads a remote over a git-upload-pack session (protocol v0: one
// request shows all refs).
type netSource struct {
	dial func(ctx context.Context) (transport.UploadPackSession, error)
	done func()
}

func (n *netSource) close() {
	if n.done != nil {
		n.done()
	}
}

func (n *netSource) refs(ctx context.Context) (ad *advert, err error) {
	s, err := n.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }() // the answer is whole, or err says why not
	ar, err := s.AdvertisedReferencesContext(ctx)
	if err != nil {
		return nil, err
	}
	return readAdvert(ar), nil
}

func (n *netSource) pull(ctx context.Context, st *store, want id, branch string) error {
	s, err := n.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	ar, err := s.AdvertisedReferencesContext(ctx)
	if err != nil {
		return err
	}
	if len(ar.Shallows) > 0 {
		return fmt.Errorf("%w: it is a shallow clone, without the history that change sets need", ErrUnsupported)
	}
	ask, err := wanted(ar, want, branch)
	if err != nil {
		return err
	}
	req := packp.NewUploadPackRequestFromCapabilities(ar.Capabilities)
	if ar.Capabilities.Supports(capability.NoProgress) {
		_ = req.Capabilities.Set(capability.NoProgress) // fails only for values it does not take
	}
	req.Wants = []plumbing.Hash{ask}
	if err := st.with(func(r *reader) error {
		req.Haves, err = haves(st.dir, r)
		return err
	}); err != nil {
		return err
	}
	if req.IsEmpty() {
		return ErrGone // the branch went back to a commit that is here
	}
	res, err := s.UploadPack(ctx, req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Close() }()
	_, err = st.addPack(ctx, func(w io.Writer) error {
		_, err := io.Copy(w, packStream(req.Capabilities, res))
		return err
	}, nil)
	return err
}

// wanted is the hash to ask for: the commit where a ref stands on it, else the
// watched branch as it is now, which may lead to the commit. A hash that no ref
// shows is not asked for: most servers refuse that.
func wanted(ar *packp.AdvRefs, want id, branch string) (id, error) {
	ad := readAdvert(ar)
	if ad.stands(want) {
		return want, nil
	}
	head, err := chooseHead(ad, branch)
	if err != nil {
		return id{}, err
	}
	return plumbing.NewHash(head.Commit), nil
}

func packStream(caps *capability.List, r io.Reader) io.Reader {
	switch {
	case caps.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, r)
	case caps.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, r)
	}
	return r
}

// stallConn gives up a connection on which nothing moves for stallTime.
type stallConn struct{ net.Conn }

func (c stallConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(stallTime)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c stallConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(stallTime)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func dialTCP(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: 30 * time.Second}
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return stallConn{c}, nil
}

// remoteError tells what a failed talk with the remote means. Causes are kept
// for errors.Is, their text freed of secrets.
func (m *Mirror) remoteError(ctx context.Context, op string, err error) error {
	var known *RemoteError
	if errors.As(err, &known) {
		return err
	}
	err = bareCause(err)
	out := &RemoteError{Op: op, URL: m.loc.url}
	out.Kind, out.Hint = classify(err)
	if cause := ctx.Err(); cause != nil {
		// Whatever broke, it broke because the caller's time was up.
		out.Err = cause
		if out.Kind = nil; errors.Is(cause, context.DeadlineExceeded) {
			out.Kind = ErrUnreachable
		}
		out.Hint = ""
		return out
	}
	if err != out.Kind && saysMore(err) {
		out.Err = scrub(err, m.loc.password, m.remote.SSHKeyPassphrase)
	}
	if errors.Is(out.Kind, ErrAuth) || errors.Is(out.Kind, ErrNotFound) {
		out.Hint = m.credentialHint()
	}
	return out
}

// classify maps causes to this package's kinds.
//
//lint:ignore ST1008 the error is a kind that is looked up, not a failure
func classify(err error) (kind error, hint string) {
	for _, k := range []error{ErrEmpty, ErrNoBranch, ErrGone, ErrAuth, ErrHostKey, ErrNotFound, ErrUnreachable, ErrUnsupported, ErrDamaged} {
		if errors.Is(err, k) {
			return k, ""
		}
	}
	var status *statusError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return ErrEmpty, ""
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return ErrAuth, ""
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return ErrNotFound, ""
	case errors.As(err, &cert):
		return nil, "if the server's certificate comes from an authority of your own, set the CA bundle"
	case errors.As(err, &status) && status.temporary(),
		isNetwork(err):
		return ErrUnreachable, ""
	}
	return nil, ""
}

// isNetwork says whether a connection failed. Not every net.Error is one: a
// file's errno has the same methods.
func isNetwork(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var other net.Error
	return errors.As(err, &op) || errors.As(err, &dns) || errors.As(err, &other) && other.Timeout() ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, pktline.ErrInvalidPktLen) // cut off within a packet's length
}

// saysMore says whether a cause tells more than its kind. go-git's sentinels do
// not, and the page of HTML that it appends to them even less.
func saysMore(err error) bool {
	for _, s := range []error{transport.ErrAuthenticationRequired, transport.ErrAuthorizationFailed, transport.ErrRepositoryNotFound, transport.ErrEmptyRemoteRepository} {
		if errors.Is(err, s) {
			return false
		}
	}
	return true
}

func (m *Mirror) credentialHint() string {
	switch m.loc.scheme {
	case schemeHTTP, schemeHTTPS:
		if m.loc.password == "" {
			return "if the repository is private, set a token that may read it"
		}
		return fmt.Sprintf("the token, used as user %q, may be wrong, expired, or not allowed to read this repository", m.loc.user)
	case schemeSSH:
		return fmt.Sprintf("the key must be allowed to read the repository as user %q", m.loc.user)
	}
	return ""
}

// bareCause opens the error types that hide what happened: two of go-git's that
// do not unwrap, and url.Error, which calls every failure a network failure.
func bareCause(err error) error {
	for {
		switch e := err.(type) {
		case *plumbing.UnexpectedError:
			err = e.Err
		case *plumbing.PermanentError:
			err = e.Err
		case *url.Error:
			err = e.Err
		default:
			return err
		}
	}
}
