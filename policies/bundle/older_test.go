package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

// revised is a signed bundle of a revision; issued is its claim iat, 0 is none.
func revised(t *testing.T, revision string, issued int64, private string) []byte {
	t.Helper()
	b := bundle.Bundle{
		Manifest: bundle.Manifest{Revision: revision},
		Data:     map[string]any{},
		Modules:  []bundle.ModuleFile{{URL: "/p.rego", Path: "/p.rego", Raw: []byte(policy), Parsed: ast.MustParseModule(policy)}},
	}
	b.Manifest.Init()
	claims := ""
	if issued != 0 {
		claims = filepath.Join(t.TempDir(), "claims.json")
		if err := os.WriteFile(claims, fmt.Appendf(nil, `{"iat":%d}`, issued), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.GenerateSignature(bundle.NewSigningConfig(private, "ES256", claims), "somebody", false); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := bundle.NewWriter(&out).UseModulePath(true).Write(b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAnOldBundleIsNotUsedAgain(t *testing.T) {
	private, public := pair(t)
	plain := func(revision string) []byte { return revised(t, revision, 0, private) }
	at := func(revision string, issued int64) []byte { return revised(t, revision, issued, private) }
	tests := []struct {
		name   string
		before [][]byte
		then   []byte
		want   string // in the error; "" is none
	}{
		{"the first", nil, plain("1"), ""},
		{"the same again", [][]byte{plain("1")}, plain("1"), ""},
		{"another", [][]byte{plain("1")}, plain("2"), ""},
		{"one that was replaced", [][]byte{plain("1"), plain("2")}, plain("1"), `revision "1"`},
		{"one that was replaced long ago", [][]byte{plain("1"), plain("2"), plain("3"), plain("4")}, plain("1"), `revision "1"`},
		{"one never seen, signed before", [][]byte{at("3", 3000)}, at("2", 2000), "was signed at 1970-01-01T00:33:20Z, the last one at 1970-01-01T00:50:00Z"},
		{"one never seen, signed at the same time", [][]byte{at("3", 3000)}, at("2", 3000), ""},
		{"one signed later", [][]byte{at("3", 3000)}, at("4", 4000), ""},
		{"one that does not say when", [][]byte{at("3", 3000)}, plain("4"), "does not say when it was signed"},
		{"the first that says when", [][]byte{plain("1")}, at("2", 1000), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			location := filepath.Join(t.TempDir(), "b.tar.gz")
			source := Source{Location: location, PublicKeys: []string{public}, Cache: t.TempDir()}
			load := func(body []byte) (Bundle, error) {
				if err := os.WriteFile(location, body, 0o600); err != nil {
					t.Fatal(err)
				}
				return source.Load(t.Context())
			}
			for _, body := range tt.before {
				if _, err := load(body); err != nil {
					t.Fatal(err)
				}
			}
			b, err := load(tt.then)
			if tt.want == "" {
				if err != nil || b.Files == nil {
					t.Fatalf("%v", err)
				}
				return
			}
			if !errors.Is(err, ErrOlder) || !strings.Contains(err.Error(), tt.want) || b.Files != nil {
				t.Fatalf("error %v, files %v; want %q", err, b.Files, tt.want)
			}
			source.AllowOlder = true
			if b, err := load(tt.then); err != nil || b.Files == nil {
				t.Fatalf("with allow_older: %v", err)
			}
			source.AllowOlder = false // what was let in is the last one now
			if _, err := load(tt.then); err != nil {
				t.Errorf("after it was let in: %v", err)
			}
		})
	}
}

// The archive can be packed otherwise, and a signature of this kind be written otherwise: what is signed tells.
func TestAnOldBundleIsKnownInAnotherArchive(t *testing.T) {
	private, public := pair(t)
	location := filepath.Join(t.TempDir(), "b.tar.gz")
	source := Source{Location: location, PublicKeys: []string{public}, Cache: t.TempDir()}
	first, second, again := revised(t, "1", 0, private), revised(t, "2", 0, private), revised(t, "1", 0, private)
	if bytes.Equal(first, again) {
		t.Fatal("both are the same bytes: this shows nothing")
	}
	for i, body := range [][]byte{first, second, again} {
		if err := os.WriteFile(location, body, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := source.Load(t.Context()); errors.Is(err, ErrOlder) != (i == 2) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestAnAddressThatServesAnOldBundle(t *testing.T) {
	private, public := pair(t)
	s := serve(t)
	now := noon
	source := Source{Location: s.URL, PublicKeys: []string{public}, Cache: t.TempDir(), MaxAge: time.Hour, Client: s.Client(), Now: func() time.Time { return now }}
	one, two := revised(t, "1", 0, private), revised(t, "2", 0, private)
	for _, body := range [][]byte{one, two} {
		s.body = body
		if _, err := source.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.body = one
	b, err := source.Load(t.Context())
	if err != nil || b.Revision != "2" || !errors.Is(b.Stale, ErrOlder) {
		t.Fatalf("revision %q, stale %v, %v; want the newer one that is kept", b.Revision, b.Stale, err)
	}
	now = now.Add(2 * time.Hour)
	if _, err := source.Load(t.Context()); !errors.Is(err, ErrOlder) {
		t.Errorf("once the kept one is too old: %v", err)
	}
}

func TestWhatIsRememberedCannotBeRead(t *testing.T) {
	private, public := pair(t)
	source := Source{Location: file(t, revised(t, "1", 0, private)), PublicKeys: []string{public}, Cache: t.TempDir()}
	if err := os.WriteFile(source.seenFile(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := source.Load(t.Context()); err == nil || b.Files != nil {
		t.Error("it was used")
	}
}
