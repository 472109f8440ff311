package docs

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/mooring-iac/mooring/cmd/mooring/serverconfig"
)

var (
	snippet = regexp.MustCompile("(?ms)^```hcl\n(.*?)^```$")
	file    = regexp.MustCompile(`(?:file\(|kubeconfig *= *|key_file *= *)"([^"]+)"`)
)

// TestSnippetsOfServerConfiguration reads every piece of server.hcl that the documents show, as Mooring would. Secrets are
// set and files are there; a piece without a repository or a data directory gets one.
func TestSnippetsOfServerConfiguration(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range snippet.FindAllStringSubmatch(string(text), -1) {
			f, diags := hclsyntax.ParseConfig([]byte(m[1]), page, hcl.InitialPos)
			if diags.HasErrors() {
				t.Errorf("%s: %v in\n%s", page, diags, m[1])
				continue
			}
			if body := f.Body.(*hclsyntax.Body); serversOwn(body) {
				read++
				check(t, page, m[1], body)
			}
		}
	}
	if read < 8 {
		t.Errorf("only %d pieces of server.hcl were found", read)
	}
}

// serversOwn tells a piece of server.hcl from one of mooring.hcl.
func serversOwn(body *hclsyntax.Body) bool {
	for _, b := range body.Blocks {
		switch b.Type {
		case "repository", "cluster", "pages", "charts", "sops", "keep", "policy", "pack", "team", "credentials", "notify", "route":
			return true
		}
	}
	return body.Attributes["data_dir"] != nil
}

func check(t *testing.T, page, text string, body *hclsyntax.Body) {
	t.Helper()
	dir := t.TempDir()
	for _, m := range file.FindAllStringSubmatch(text, -1) {
		name := filepath.Join(dir, filepath.Base(m[1]))
		if err := os.WriteFile(name, key(t, strings.HasSuffix(name, ".pub")), 0o600); err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, `"`+m[1]+`"`, `"`+name+`"`)
	}
	if a := body.Attributes["data_dir"]; a != nil {
		text = regexp.MustCompile(`(?m)^data_dir.*$`).ReplaceAllString(text, `data_dir = "data"`)
	} else {
		text = "data_dir = \"data\"\n" + text
	}
	repository := false
	for _, b := range body.Blocks {
		repository = repository || b.Type == "repository"
	}
	if !repository {
		text += "\nrepository \"infra\" {\n  url = \"https://git.example.com/acme/infra.git\"\n}\n"
	}
	name := filepath.Join(dir, "server.hcl")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, diags := serverconfig.Load(name, func(name string) (string, bool) {
		if name == "CHAT_URL" {
			return "slack://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook", true
		}
		return "a secret of more than sixteen characters", true
	})
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			t.Errorf("%s: %v in\n%s", page, d, text)
		}
	}
}

// key is what stands in every file: a private key, or the public part of one.
func key(t *testing.T, public bool) []byte {
	t.Helper()
	own, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	kind := "PRIVATE KEY"
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if public {
		kind = "PUBLIC KEY"
		der, err = x509.MarshalPKIXPublicKey(own)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
