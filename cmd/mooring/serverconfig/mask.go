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
	"data_dir": true, "listen": true, "public_url": true, "heartbeat_every": true, "parallel": true, "grace": true, "cli_config": true, "key_file": true,
	"sandbox": true, "mode": true, "read": true, "write": true, "init": true, "plan": true,
	"min_free": true, "runs": true, "age": true, "size": true,
	"releases_url": true, "path": true, "kubeconfig": true, "context": true, "in_cluster": true, "default": true, "allow_exec": true,
	"url": true, "branch": true, "poll": true, "apply": true, "auto_apply": true, "require": true, "direct_push": true,
	"username": true, "known_hosts": true, "repository": true, "id": true, "installation": true, "teams": true, "approve": true,
	"review_branches": true, "drafts": true, "labels": true, "forks": true, "merge": true,
	"repositories": true, "require_namespace": true, "as": true, "namespaces": true, "kinds": true, "cluster_kinds": true,
	"bundle": true, "algorithm": true, "scope": true, "max_age": true, "allow_older": true, "rego": true, "required": true, "effect": true, "settings": true, "members": true,
	"dir": true, "self_approval": true, "preflight": true, "providers": true, "modules": true, "backends": true, "data_sources": true,
	"provisioners": true, "remote_states": true, "functions": true,
	"title": true, "body": true, "digest": true, "server": true, "tls": true, "from": true, "to": true, "timezone": true, "days": true, "except": true,
	"channels": true, "units": true, "severity": true, "events": true,
}

// environmentKeys hold lists of names, which are shown, or objects of values,
// of which the names alone are.
var environmentKeys = map[string]bool{"env": true, "init_env": true, "plan_env": true, "apply_env": true}

var (
	userinfo = regexp.MustCompile(`://[^/@\s"]*:([^/@\s"]*)@`)
	ageKey   = regexp.MustCompile(`(?i)AGE-SECRET-KEY-[0-9A-Z-]*`) // in key_file, in place of its path
)

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
		listed := environmentKeys[string(tokens[i].Bytes)]
		from := i + 2
		end := from + expressionLength(tokens[from:])
		switch value := tokens[from:end]; {
		case listed && isNames(value): // shown
		case listed:
			maskObject(out, value)
		default:
			maskValue(out, value)
		}
		i = end - 1
	}
	for _, m := range userinfo.FindAllSubmatchIndex(src, -1) {
		blot(out, hcl.Range{Start: hcl.Pos{Byte: m[2]}, End: hcl.Pos{Byte: m[3]}})
	}
	for _, m := range ageKey.FindAllIndex(src, -1) {
		blot(out, hcl.Range{Start: hcl.Pos{Byte: m[0]}, End: hcl.Pos{Byte: m[1]}})
	}
	return out
}

// nesting is how a token changes the depth of brackets.
func nesting(t hclsyntax.TokenType) int {
	switch t {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		return 1
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
		return -1
	}
	return 0
}

// expressionLength is the number of tokens up to the line break that ends an
// argument: one outside of its brackets. Without one it is all that is left, so
// a bracket that nobody closed hides too much rather than too little.
func expressionLength(t hclsyntax.Tokens) int {
	depth := 0
	for i, token := range t {
		depth = max(0, depth+nesting(token.Type))
		switch {
		case token.Type == hclsyntax.TokenEOF, token.Type == hclsyntax.TokenNewline && depth == 0:
			return i
		case endsLine(token) && depth == 0: // a comment, which may hold what it should not
			return i + 1
		}
	}
	return len(t)
}

// endsLine tells a line break; that of a comment is part of it.
func endsLine(t hclsyntax.Token) bool {
	return t.Type == hclsyntax.TokenNewline || t.Type == hclsyntax.TokenComment && bytes.HasSuffix(t.Bytes, []byte("\n"))
}

// isNames tells a list of plain strings.
func isNames(t hclsyntax.Tokens) bool {
	if len(t) == 0 || t[0].Type != hclsyntax.TokenOBrack {
		return false
	}
	for _, token := range t[1:] {
		switch token.Type {
		case hclsyntax.TokenCBrack, hclsyntax.TokenOQuote, hclsyntax.TokenQuotedLit, hclsyntax.TokenCQuote, hclsyntax.TokenComma, hclsyntax.TokenNewline, hclsyntax.TokenComment:
		default:
			return false
		}
	}
	return true
}

func maskValue(out []byte, t hclsyntax.Tokens) { maskAll(out, t[callLength(t):]) }

// maskObject overwrites all but the keys of an object, the brackets around it
// and the names that env() and file() are given.
func maskObject(out []byte, t hclsyntax.Tokens) {
	depth, key := 0, true // key: a key may start here
	for i := 0; i < len(t); i++ {
		depth += nesting(t[i].Type)
		switch {
		case t[i].Type == hclsyntax.TokenQuotedNewline:
			// From here on the quotes are those of other strings: nothing is sure.
			maskAll(out, t[i:])
			return
		case depth == 1 && (i == 0 || t[i].Type == hclsyntax.TokenComma || t[i].Type == hclsyntax.TokenNewline):
			key = true
		case depth == 0 && t[i].Type == hclsyntax.TokenCBrace:
		case depth == 1 && endsLine(t[i]):
			blot(out, t[i].Range)
			key = true
		case key && depth == 1 && keyLength(t[i:]) > 0:
			i += keyLength(t[i:])
			i += callLength(t[i:]) - 1
			key = false
		default:
			blot(out, t[i].Range)
			key = false
		}
	}
}

func maskAll(out []byte, t hclsyntax.Tokens) {
	for _, token := range t {
		blot(out, token.Range)
	}
}

// keyLength is the number of tokens of `NAME =` or `"NAME" =` at the start, the
// sign may be a colon; 0 when there is no such key.
func keyLength(t hclsyntax.Tokens) int {
	n := 1
	if len(t) > 3 && t[0].Type == hclsyntax.TokenOQuote && t[1].Type == hclsyntax.TokenQuotedLit && t[2].Type == hclsyntax.TokenCQuote {
		n = 3
	} else if len(t) < 2 || t[0].Type != hclsyntax.TokenIdent {
		return 0
	}
	if t[n].Type != hclsyntax.TokenEqual && t[n].Type != hclsyntax.TokenColon {
		return 0
	}
	return n + 1
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
