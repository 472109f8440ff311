package engine

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// builtins are the functions that a policy may call. It is a list of what is allowed: a new OPA brings nothing new until
// somebody has read what it reaches.
//
//go:embed builtins.txt
var builtins string

// refused says why a function of OPA is not among them.
var refused = map[string]string{
	"http.send":          "a policy reaches nothing over the network",
	"net.lookup_ip_addr": "a policy reaches nothing over the network",
	"opa.runtime":        "it shows the server's environment",
	"json.match_schema":  "a schema can name files of the server",
	"json.verify_schema": "a schema can name files of the server",
}

// capabilities are what policies of the Rego version may use: no function that is not in builtins, no host.
func capabilities(v ast.RegoVersion) *ast.Capabilities {
	if v == ast.RegoV0 {
		return ofV0()
	}
	return ofV1()
}

var (
	ofV0 = sync.OnceValue(func() *ast.Capabilities { return restrict(ast.RegoV0) })
	ofV1 = sync.OnceValue(func() *ast.Capabilities { return restrict(ast.RegoV1) })
)

func restrict(v ast.RegoVersion) *ast.Capabilities {
	allowed := map[string]bool{}
	for name := range strings.FieldsSeq(builtins) {
		allowed[name] = true
	}
	c := ast.CapabilitiesForThisVersion(ast.CapabilitiesRegoVersion(v))
	kept := c.Builtins[:0]
	for _, b := range c.Builtins {
		if allowed[b.Name] {
			kept = append(kept, b)
		}
	}
	c.Builtins = append(kept, needsDecl())
	c.AllowNet = []string{} // empty is none; nil would be every host
	return c
}
