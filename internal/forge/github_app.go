package forge

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/google/go-github/v88/github"
)

// GitHub takes a signed word of at most ten minutes, and none from the future:
// clocks may differ by a minute.
const (
	signedBefore = time.Minute
	signedFor    = 9 * time.Minute
	renewBefore  = 5 * time.Minute // the end of a token's hour
)

// readKey reads the PEM file that GitHub hands out for an App, or the PKCS #8 form
// of it.
func readKey(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("is not PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("is neither PKCS #1 nor PKCS #8")
	}
	if key, ok := key.(*rsa.PrivateKey); ok {
		return key, nil
	}
	return nil, errors.New("is not an RSA key")
}

// appJWT is what an App says of itself at one time: RFC 7519, signed with RS256.
func appJWT(app int64, key *rsa.PrivateKey, now time.Time) (string, error) {
	claims, err := json.Marshal(struct {
		Issued  int64  `json:"iat"`
		Expires int64  `json:"exp"`
		Issuer  string `json:"iss"`
	}{now.Add(-signedBefore).Unix(), now.Add(signedFor).Unix(), strconv.FormatInt(app, 10)})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// installation is an App where it is installed: it has the token that requests
// carry, and renews it before its hour ends.
type installation struct {
	owner, name string
	now         func() time.Time
	app         *github.Client // speaks as the App itself
	learn       func(secret string)

	mu    sync.Mutex // guards what follows, and is held while a token is asked for: once is enough
	id    int64      // 0 is not yet looked up
	token string
	ends  time.Time
}

// authorize puts the token on a request.
func (in *installation) authorize(r *http.Request) error {
	token, err := in.current(r.Context())
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return nil
}

func (in *installation) current(ctx context.Context) (string, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.token != "" && in.now().Add(renewBefore).Before(in.ends) {
		return in.token, nil
	}
	if in.id == 0 {
		found, _, err := in.app.Apps.GetRepositoryInstallation(ctx, in.owner, in.name)
		if err != nil {
			return "", fmt.Errorf("find where the App is installed: %w", err)
		}
		in.id = found.GetID()
	}
	// One repository is all that a Forge is of: the token opens no other.
	token, _, err := in.app.Apps.CreateInstallationToken(ctx, in.id, &github.InstallationTokenOptions{Repositories: []string{in.name}})
	if err != nil {
		return "", fmt.Errorf("ask for a token of installation %d: %w", in.id, err)
	}
	if token.GetToken() == "" || token.ExpiresAt == nil {
		return "", fmt.Errorf("ask for a token of installation %d: %w: it answers with none", in.id, ErrUnavailable)
	}
	in.token, in.ends = token.GetToken(), token.GetExpiresAt().Time
	in.learn(in.token)
	return in.token, nil
}

// forgetful drops the token that a request carried when the forge no longer takes
// it: tokens end early where an App is suspended or its permissions change.
type forgetful struct {
	http.RoundTripper
	in *installation
}

func (f forgetful) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := f.RoundTripper.RoundTrip(r)
	if err == nil && answer.StatusCode == http.StatusUnauthorized {
		f.in.mu.Lock()
		defer f.in.mu.Unlock()
		if r.Header.Get("Authorization") == "Bearer "+f.in.token {
			f.in.token = ""
		}
	}
	return answer, err
}
