package forge

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"unicode"
)

// Forge is one repository on a forge, as one account sees it. All methods may be
// called at once.
type Forge struct {
	repository string
	wire       *transport
	backend    backend

	mu   sync.Mutex // guards self
	self *User
}

// New makes a Forge of its configuration. It asks nothing yet; an error names the
// setting that is wrong.
func New(cfg Config) (*Forge, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("forge %s: %w", cfg.Kind, err)
	}
	open := map[Kind]func(Config) (backend, *transport, error){
		Gitea:  newGitea,
		GitHub: newGitHub,
		GitLab: newGitLab,
	}[cfg.Kind]
	b, wire, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("forge %s: %w", cfg.Kind, err)
	}
	return &Forge{repository: cfg.Repository, wire: wire, backend: b}, nil
}

func (cfg Config) check() error {
	switch cfg.Kind {
	case Gitea, GitHub, GitLab:
	default:
		return errors.New("kind: is none of gitea, github, gitlab")
	}
	if err := checkRepository(cfg.Kind, cfg.Repository); err != nil {
		return fmt.Errorf("repository: %w", err)
	}
	switch {
	case cfg.App != nil && cfg.Kind != GitHub:
		return errors.New("app: only GitHub has Apps")
	case cfg.App != nil && cfg.Token != "":
		return errors.New("token: not together with app")
	case cfg.App == nil && cfg.Token == "":
		return errors.New("token: is empty")
	case strings.ContainsFunc(cfg.Token, unprintable):
		return errors.New("token: holds a space or a line break")
	case strings.ContainsFunc(cfg.UserAgent, unicode.IsControl):
		return errors.New("user agent: holds a line break")
	}
	return nil
}

// checkRepository is true to what goes into addresses: parts that are names.
func checkRepository(kind Kind, full string) error {
	parts := strings.Split(full, "/")
	if len(parts) < 2 || kind != GitLab && len(parts) > 2 {
		return fmt.Errorf("%q is not owner/name", full)
	}
	for _, part := range parts {
		if part == "" || part == "." || part == ".." || strings.ContainsFunc(part, func(r rune) bool {
			return unprintable(r) || strings.ContainsRune(`?#%\:`, r)
		}) {
			return fmt.Errorf("%q is not owner/name", full)
		}
	}
	return nil
}

func unprintable(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar
}

// address reads a setting that is the root of a forge.
func address(setting string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(setting, "/"))
	switch {
	case err != nil:
		return nil, errors.New("url: cannot be read") // the error would repeat it, with a password in it
	case u.User != nil:
		return nil, errors.New("url: holds credentials; they go into token")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("url: %q is not http:// or https:// and a host", setting)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("url: %q is more than an address", setting)
	}
	return u, nil
}
