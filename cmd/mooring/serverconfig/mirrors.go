package serverconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// showMirrors adds to the sandbox what Terraform's CLI configuration takes
// providers from. A file that cannot be read or makes no sense adds nothing:
// Terraform says so itself.
func (d *decoder) showMirrors(a *hcl.Attribute, c *Config) {
	if c.CLIConfig == "" {
		return
	}
	src, err := readFile(c.CLIConfig)
	if err != nil {
		return
	}
	for _, p := range mirrors(src) {
		if _, err := os.Stat(p); err != nil || slices.Contains(c.Sandbox.Read, p) {
			continue
		}
		if why := refusal(p, c); why != "" {
			d.warn(a.Expr.Range(), "Not for the sandbox", fmt.Sprintf("%s takes providers from %s, which cannot be shown to Terraform: %s.", c.CLIConfig, p, why))
			continue
		}
		c.Sandbox.Read = append(c.Sandbox.Read, p)
	}
}

// mirrors returns the absolute paths of filesystem_mirror and dev_overrides in
// provider_installation. It works on tokens: the file's language is HCL 1, whose
// dev_overrides { "acme/x" = "path" } is no block in HCL 2.
func mirrors(src []byte) []string {
	tokens, _ := hclsyntax.LexConfig(src, "", hcl.InitialPos)
	var found, open []string // open are the blocks around a token
	label := ""
	for i, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenIdent:
			label = string(t.Bytes)
		case hclsyntax.TokenOBrace:
			open = append(open, label)
		case hclsyntax.TokenCBrace:
			if len(open) == 0 {
				return found
			}
			open = open[:len(open)-1]
		case hclsyntax.TokenEqual:
			if len(open) != 2 || open[0] != "provider_installation" || !takesPath(open[1], label) {
				continue
			}
			if p, ok := quotedText(tokens[i+1:]); ok && filepath.IsAbs(p) {
				found = append(found, filepath.Clean(p))
			}
		}
	}
	return found
}

func takesPath(block, argument string) bool {
	return block == "dev_overrides" || block == "filesystem_mirror" && argument == "path"
}

// quotedText is a string at the start of the tokens with nothing to evaluate in it.
func quotedText(t hclsyntax.Tokens) (string, bool) {
	if len(t) < 3 || t[0].Type != hclsyntax.TokenOQuote || t[1].Type != hclsyntax.TokenQuotedLit || t[2].Type != hclsyntax.TokenCQuote {
		return "", false
	}
	s := string(t[1].Bytes)
	return s, !strings.ContainsAny(s, "\\\x00")
}
