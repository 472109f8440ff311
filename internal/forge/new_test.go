package forge

import (
	"strings"
	"testing"
)

func TestNewNamesTheSettingThatIsWrong(t *testing.T) {
	good := Config{Kind: Gitea, URL: "https://git.example.com/sub/", Repository: "acme/infra", Token: token}
	if f, err := New(good); err != nil || f.MaxComment() <= 0 {
		t.Fatal(err)
	}
	for _, c := range []struct {
		setting string
		change  func(*Config)
	}{
		{"kind", func(c *Config) { c.Kind = "bitbucket" }},
		{"kind", func(c *Config) { c.Kind = "" }},
		{"url", func(c *Config) { c.URL = "" }},
		{"url", func(c *Config) { c.URL = "git.example.com" }},
		{"url", func(c *Config) { c.URL = "ssh://git.example.com" }},
		{"url", func(c *Config) { c.URL = "https://user:hunter2@git.example.com" }},
		{"url", func(c *Config) { c.URL = "https://user:hunter2@git.example.com:port" }},
		{"url", func(c *Config) { c.URL = "https://git.example.com?token=x" }},
		{"repository", func(c *Config) { c.Repository = "" }},
		{"repository", func(c *Config) { c.Repository = "infra" }},
		{"repository", func(c *Config) { c.Repository = "acme/" }},
		{"repository", func(c *Config) { c.Repository = "acme/.." }},
		{"repository", func(c *Config) { c.Repository = "acme/platform/infra" }},
		{"repository", func(c *Config) { c.Repository = "acme/infra?x" }},
		{"token", func(c *Config) { c.Token = "" }},
		{"token", func(c *Config) { c.Token = "x\n" }},
		{"app", func(c *Config) { c.App = &App{ID: 1} }},
		{"token", func(c *Config) { c.Kind, c.App = GitHub, &App{ID: 1} }},
		{"ca_bundle", func(c *Config) { c.CABundle = []byte("junk") }},
		{"user agent", func(c *Config) { c.UserAgent = "a\r\nb" }},
	} {
		cfg := good
		c.change(&cfg)
		f, err := New(cfg)
		if f != nil || err == nil || !strings.Contains(err.Error(), ": "+c.setting+":") {
			t.Errorf("%s: %v", c.setting, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), token)) {
			t.Errorf("a secret in %v", err)
		}
	}
}
