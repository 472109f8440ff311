package githttp

import (
	"net/http/httptest"
	"net/url"
)

// Server is a [Handler] that listens on loopback.
type Server struct {
	*Handler
	URL  string // http://127.0.0.1:port, without a slash at the end
	Root string // directory whose bare repositories are served

	listener *httptest.Server
}

// New serves the bare repositories below root until the test ends.
func New(t TB, root string) *Server {
	t.Helper()
	handler, err := NewHandler(root)
	if err != nil {
		t.Fatalf("%v", err)
	}
	listener := httptest.NewServer(handler)
	t.Cleanup(listener.Close)
	return &Server{Handler: handler, URL: listener.URL, Root: root, listener: listener}
}

// RepositoryURL returns the URL of the repository at name below the root, such as "infra.git".
func (s *Server) RepositoryURL(name string) string { return s.URL + "/" + name }

// RepositoryURLAs is [Server.RepositoryURL] with a user and token in it, for clients that take them there only.
func (s *Server) RepositoryURLAs(name, user, token string) string {
	u, err := url.Parse(s.RepositoryURL(name))
	if err != nil {
		panic(err) // the URL is our own
	}
	u.User = url.UserPassword(user, token)
	return u.String()
}

// Close stops the server at once: what is under way is cut off, later requests find nobody listening.
func (s *Server) Close() {
	s.listener.CloseClientConnections()
	s.listener.Close()
}
