package serverconfig

import (
	"bytes"
	"regexp"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// plain are the arguments whose values may be quoted in a diagnostic. Everything
// else is masked: a misspelt `tokn = "…"` holds a secret too.
var plain = map[string]bool{
	"data_dir": true, "listen": true, "public_url": true, "parallel": true, "grace": true, "env": true, "init_env": true, "cli_config": true,
	"releases_url": true, "path": true, "kubeconfig": true, "context": true, "in_cluster": true, "default": true, "allow_exec": true,
	"url": true, "branch": true, "poll": true, "apply": true, "auto_apply": true, "require": true, "direct_push": true,
	"username": true, "known_hosts": true,
}

var userinfo = regexp.MustCompile(`://[^/@\s"]*:([^/@\s"]*)@`)

// Mask returns the source with everything overwritten that may be a secret:
// the values of arguments that are not known to be harmless, and passwords in
// URLs. Its length and line breaks stay, so ranges still fit. It works on
// tokens, since a file that does not parse is shown too.
func Mask(src []byte) []byte {
	out := bytes.Clone(src)
	tokens, _ := hclsyntax.LexConfig(src, "", hcl.InitialPos)
	for i := 0; i+1 < len(tokens); i++ {
		if tokens[i].Type != hclsyntax.TokenIdent || tokens[i+1].Type != hclsyntax.TokenEqual || plain[string(tokens[i].Bytes)] {
			continue
		}
		from := i + 2
		from += callLength(tokens[from:])
		end := from
		for end < len(tokens) && tokens[end].Type != hclsyntax.TokenNewline && tokens[end].Type != hclsyntax.TokenEOF {
			blot(out, tokens[end].Range)
			end++
		}
		i = end - 1
	}
	for _, m := range userinfo.FindAllSubmatchIndex(src, -1) {
		blot(out, hcl.Range{Start: hcl.Pos{Byte: m[2]}, End: hcl.Pos{Byte: m[3]}})
	}
	return out
}

// callLength is the number of tokens of env("NAME") or file("path") at the
// start, 0 when there is none: names of variables and files are shown.
func callLength(t hclsyntax.Tokens) int {
	shape := []hclsyntax.TokenType{hclsyntax.TokenIdent, hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenQuotedLit, hclsyntax.TokenCQuote, hclsyntax.TokenCParen}
	if len(t) < len(shape) {
		return 0
	}
	for i, want := range shape {
		if t[i].Type != want {
			return 0
		}
	}
	if f := string(t[0].Bytes); f != "env" && f != "file" {
		return 0
	}
	return len(shape)
}

func blot(b []byte, r hcl.Range) {
	for i := r.Start.Byte; i < r.End.Byte && i < len(b); i++ {
		if b[i] != '\n' && b[i] != '\r' {
			b[i] = '*'
		}
	}
}
