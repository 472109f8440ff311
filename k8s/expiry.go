package k8s

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	certutil "k8s.io/client-go/util/cert"
)

// ExpiredError says which credential is of no use any more.
type ExpiredError struct {
	What   string // the client certificate of CN=admin
	Source string // where it comes from: kubeconfig /etc/mooring/prod
	At     time.Time
}

func (e *ExpiredError) Error() string {
	return fmt.Sprintf("%s in %s expired on %s; put a valid one there", e.What, e.Source, e.At.UTC().Format("2006-01-02 at 15:04:05 UTC"))
}

// Unwrap makes it an ErrExpired.
func (e *ExpiredError) Unwrap() error { return ErrExpired }

// CheckCredentials tells, without a request, whether the client certificate or the token has expired at the time
// given; the error wraps an *ExpiredError then. What says nothing of its end (an opaque token, a credential
// program) is left for the server to judge.
func (c *Cluster) CheckCredentials(now time.Time) error {
	if e := expired(c.config, now); e != nil {
		e.Source = c.source
		return fmt.Errorf("cluster %s: %w", c.name, e)
	}
	return nil
}

func expired(config *rest.Config, now time.Time) *ExpiredError {
	if cert := leaf(contentOr(config.CertData, config.CertFile)); cert != nil && now.After(cert.NotAfter) {
		return &ExpiredError{What: "the client certificate of " + cert.Subject.String(), At: cert.NotAfter}
	}
	// The library prefers the file, and so does this.
	token := []byte(config.BearerToken)
	if config.BearerTokenFile != "" {
		token = contentOr(nil, config.BearerTokenFile)
	}
	if at, subject, ok := tokenEnd(strings.TrimSpace(string(token))); ok && now.After(at) {
		what := "the token"
		if subject != "" {
			what += " of " + subject
		}
		return &ExpiredError{What: what, At: at}
	}
	return nil
}

// contentOr is the data itself, or what the file holds now; nothing when it cannot be read, which the connection
// will say.
func contentOr(data []byte, file string) []byte {
	if len(data) > 0 || file == "" {
		return data
	}
	data, _ = os.ReadFile(file)
	return data
}

// leaf is the first certificate of a chain in PEM; nil where there is none that can be read.
func leaf(chain []byte) *x509.Certificate {
	certs, err := certutil.ParseCertsPEM(chain)
	if err != nil {
		return nil
	}
	return certs[0]
}

// tokenEnd reads the exp and sub claims of a JSON Web Token (RFC 7519). Nothing is verified: that is the server's.
func tokenEnd(token string) (at time.Time, subject string, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return at, "", false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return at, "", false
	}
	var claims struct {
		Exp *float64 `json:"exp"`
		Sub string   `json:"sub"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Exp == nil {
		return at, "", false
	}
	return time.Unix(int64(*claims.Exp), 0), claims.Sub, true
}
