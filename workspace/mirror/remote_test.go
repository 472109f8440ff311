package mirror

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseRemote(t *testing.T) {
	tests := []struct {
		remote Remote
		want   location // url says the rest
		err    string   // part of the error
	}{
		{Remote{URL: "https://git.example.com/acme/infra.git"},
			location{scheme: "https", url: "https://git.example.com/acme/infra.git", host: "git.example.com", path: "/acme/infra.git"}, ""},
		{Remote{URL: "https://git.example.com:8443/a%20b/infra/"},
			location{scheme: "https", url: "https://git.example.com:8443/a%20b/infra/", host: "git.example.com", port: "8443", path: "/a%20b/infra"}, ""},
		{Remote{URL: "https://ada:s3cret@git.example.com/infra"},
			location{scheme: "https", url: "https://git.example.com/infra", host: "git.example.com", path: "/infra", user: "ada", password: "s3cret"}, ""},
		{Remote{URL: "https://s3cret@git.example.com/infra"},
			location{scheme: "https", url: "https://git.example.com/infra", host: "git.example.com", path: "/infra", user: "git", password: "s3cret"}, ""},
		{Remote{URL: "https://ada@git.example.com/infra", Token: "t"},
			location{scheme: "https", url: "https://git.example.com/infra", host: "git.example.com", path: "/infra", user: "ada", password: "t"}, ""},
		{Remote{URL: "https://old:old@git.example.com/infra", Username: "ada", Token: "new"},
			location{scheme: "https", url: "https://git.example.com/infra", host: "git.example.com", path: "/infra", user: "ada", password: "new"}, ""},
		{Remote{URL: "http://[::1]:3000/infra", Token: "t"},
			location{scheme: "http", url: "http://[::1]:3000/infra", host: "::1", port: "3000", path: "/infra", user: "git", password: "t"}, ""},
		{Remote{URL: "ssh://git@example.com:2222/acme/infra.git"},
			location{scheme: "ssh", url: "ssh://git@example.com:2222/acme/infra.git", host: "example.com", port: "2222", path: "/acme/infra.git", user: "git"}, ""},
		{Remote{URL: "ssh://example.com/~ada/infra.git"},
			location{scheme: "ssh", url: "ssh://example.com/~ada/infra.git", host: "example.com", path: "~ada/infra.git", user: "git"}, ""},
		{Remote{URL: "git@example.com:acme/infra.git"},
			location{scheme: "ssh", url: "git@example.com:acme/infra.git", host: "example.com", path: "acme/infra.git", user: "git"}, ""},
		{Remote{URL: "example.com:2222/infra.git"}, // git's reading: a path, no port
			location{scheme: "ssh", url: "example.com:2222/infra.git", host: "example.com", path: "2222/infra.git", user: "git"}, ""},
		{Remote{URL: "git@[example.com:2222]:infra.git"},
			location{scheme: "ssh", url: "git@[example.com:2222]:infra.git", host: "example.com", port: "2222", path: "infra.git", user: "git"}, ""},
		{Remote{URL: "git@[::1]:infra.git"},
			location{scheme: "ssh", url: "git@[::1]:infra.git", host: "::1", path: "infra.git", user: "git"}, ""},
		{Remote{URL: "file:///srv/git/a%20b.git"},
			location{scheme: "file", url: "file:///srv/git/a b.git", path: "/srv/git/a b.git"}, ""},
		{Remote{URL: "/srv/git/x:y.git"},
			location{scheme: "file", url: "/srv/git/x:y.git", path: "/srv/git/x:y.git"}, ""},

		{Remote{URL: ""}, location{}, "url is empty"},
		{Remote{URL: "ext::sh -c touch% /tmp/x"}, location{}, `remote helper "ext::"`},
		{Remote{URL: "git://example.com/infra"}, location{}, `protocol "git"`},
		{Remote{URL: "ftp://example.com/infra"}, location{}, `protocol "ftp"`},
		{Remote{URL: "file://elsewhere/infra"}, location{}, `host "elsewhere"`},
		{Remote{URL: "https:///infra"}, location{}, "no usable host"},
		{Remote{URL: "https://example.com"}, location{}, "no usable path"},
		{Remote{URL: "https://example.com/infra?token=x"}, location{}, "query"},
		{Remote{URL: "ssh://-oProxyCommand=x/infra"}, location{}, "no usable host"},
		{Remote{URL: "-oProxyCommand=x:infra"}, location{}, "no usable host"},
		{Remote{URL: "git@example.com:--upload-pack=x"}, location{}, "no usable path"},
		{Remote{URL: "https://example.com/infra", Branch: "a..b"}, location{}, "not a valid name"},
		{Remote{URL: "https://example.com/infra", Branch: "../../x"}, location{}, "not a valid name"},
		{Remote{URL: "https://ada:s3cret@exa mple/infra"}, location{}, "cannot be read"},
		{Remote{URL: "ssh://example.com/infra", Username: "ada"}, location{}, "part of the URL"},
	}
	for _, tt := range tests {
		t.Run(tt.remote.URL, func(t *testing.T) {
			got, err := parseRemote(tt.remote)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("err = %v, want one that says %q", err, tt.err)
				}
				if strings.Contains(err.Error(), "s3cret") {
					t.Errorf("the error holds the password: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			for _, printed := range []string{tt.remote.String(), fmt.Sprintf("%v %+v %#v", tt.remote, tt.remote, tt.remote)} {
				if strings.Contains(printed, "s3cret") {
					t.Errorf("printed with its password: %s", printed)
				}
			}
		})
	}
}

func TestDirName(t *testing.T) {
	name := func(r Remote) string {
		loc, err := parseRemote(r)
		if err != nil {
			t.Fatal(err)
		}
		return loc.dirName()
	}
	plain := name(Remote{URL: "https://example.com/acme/infra.git"})
	if !strings.HasPrefix(plain, "infra-") {
		t.Errorf("name = %q", plain)
	}
	if got := name(Remote{URL: "https://u:p@example.com/acme/infra.git", Branch: "b", Token: "t"}); got != plain {
		t.Errorf("credentials or branch change the name: %q, %q", got, plain)
	}
	if got := name(Remote{URL: "https://example.com/other/infra.git"}); got == plain {
		t.Error("two repositories share a name")
	}
	if got := name(Remote{URL: "git@example.com:../../../etc/passwd"}); strings.ContainsAny(got, "/.") {
		t.Errorf("name = %q", got)
	}
}

func TestScrub(t *testing.T) {
	inner := errors.New("dial https://x:p%2Fw@host: refused; token p/w")
	err := scrub(fmt.Errorf("poll: %w", inner), "p/w", "")
	if got := err.Error(); got != "poll: dial https://x:***@host: refused; token ***" {
		t.Errorf("got %q", got)
	}
	if errors.Is(err, inner) {
		t.Error("the cause with the secret can still be reached")
	}
	if clean := errors.New("no secret"); scrub(clean, "p/w") != clean {
		t.Error("an error without secret was replaced")
	}
}
