package forge

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v88/github"
)

// gitHub is one repository on GitHub or GitHub Enterprise.
type gitHub struct {
	client      *github.Client
	app         *github.Client // speaks as the App itself; nil without one
	owner, name string
}

func newGitHub(cfg Config) (backend, *transport, error) {
	root, err := gitHubAPI(cfg.URL)
	if err != nil {
		return nil, nil, err
	}
	owner, name, _ := strings.Cut(cfg.Repository, "/")
	g := &gitHub{owner: owner, name: name}
	var wire *transport
	if cfg.App == nil {
		wire, err = newTransport(cfg, root, func(r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+cfg.Token)
			return nil
		})
	} else {
		wire, g.app, err = appTransport(cfg, root, owner, name)
	}
	if err != nil {
		return nil, nil, err
	}
	g.client, err = gitHubClient(wire)
	return g, wire, err
}

// appTransport makes two transports: one on which the App speaks for itself, and
// above it the one whose token the first asks for. Limits are told apart too, as
// GitHub does.
func appTransport(cfg Config, root *url.URL, owner, name string) (*transport, *github.Client, error) {
	if cfg.App.ID <= 0 {
		return nil, nil, errors.New("app: id: is not a number above 0")
	}
	if cfg.App.Installation < 0 {
		return nil, nil, errors.New("app: installation: is below 0")
	}
	key, err := readKey(cfg.App.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("app: private_key: %w", err) // never what it holds
	}
	var self *transport
	self, err = newTransport(cfg, root, func(r *http.Request) error {
		word, err := appJWT(cfg.App.ID, key, self.now())
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+word)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	app, err := gitHubClient(self)
	if err != nil {
		return nil, nil, err
	}
	in := &installation{owner: owner, name: name, id: cfg.App.Installation, app: app, now: self.now}
	wire, err := newTransport(cfg, root, in.authorize)
	if err != nil {
		return nil, nil, err
	}
	in.learn = wire.secrets.learn
	wire.base = forgetful{wire.base, in}
	return wire, app, nil
}

// gitHubClient leaves limits to the transport, which all calls share.
func gitHubClient(wire *transport) (*github.Client, error) {
	root := wire.root.String()
	return github.NewClient(github.WithHTTPClient(wire.client()), github.WithURLs(&root, &root), github.WithDisableRateLimitCheck())
}

// gitHubAPI is where the API of a GitHub is: api.github.com, api.NAME.ghe.com of
// Enterprise Cloud with data residency, and /api/v3 of an Enterprise Server.
func gitHubAPI(setting string) (*url.URL, error) {
	if setting == "" {
		setting = "https://github.com"
	}
	u, err := address(setting)
	if err != nil {
		return nil, err
	}
	host := strings.ToLower(u.Host)
	switch {
	case host == "github.com" || host == "www.github.com" || host == "api.github.com":
		return &url.URL{Scheme: "https", Host: "api.github.com", Path: "/"}, nil
	case strings.HasSuffix(host, ".ghe.com"):
		return &url.URL{Scheme: "https", Host: "api." + strings.TrimPrefix(host, "api."), Path: "/"}, nil
	}
	u.Path = strings.TrimSuffix(u.Path, "/api/v3") + "/api/v3/"
	return u, nil
}
