package httpstate

import (
	"fmt"
	"net/http/httptest"
)

// Server is a [Handler] that listens on loopback.
type Server struct {
	*Handler
	URL string // http://127.0.0.1:port, without a slash at the end

	listener *httptest.Server
}

// New starts a server. The caller closes it.
func New() *Server {
	h := NewHandler()
	l := httptest.NewServer(h)
	return &Server{Handler: h, URL: l.URL, listener: l}
}

// Close stops the server at once: what is under way, hanging too, is cut off; later requests find nobody listening.
func (s *Server) Close() {
	s.listener.CloseClientConnections()
	s.listener.Close()
}

// Backend returns the block `backend "http"` for the state at a path such as "/network". It does not retry, so that one
// fault is one failure; a test of the retries writes its own.
func (s *Server) Backend(path string) string { return Backend(s.URL, path) }

// Backend is [Server.Backend] for a server in another process.
func Backend(url, path string) string {
	return fmt.Sprintf(`terraform {
  backend "http" {
    address        = %[1]q
    lock_address   = %[1]q
    unlock_address = %[1]q
    retry_max      = 0
  }
}
`, url+path)
}
