package drift

import (
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// follow says of churn what it follows from: where the configuration refers to a resource that is out of band, nothing
// fails to settle. It is out of band with it, ends with it, and says so. What goes through a local value is not seen,
// because plans do not say what locals refer to: it stays churn.
func (c *classifier) follow(config *tfjson.Config) {
	var out, churn []int
	for i, f := range c.found {
		switch {
		case c.nodes[i] == "":
		case f.Class == OutOfBand:
			out = append(out, i)
		case f.Class == Churn && !strings.Contains(f.Message, tainted):
			churn = append(churn, i)
		}
	}
	if config == nil || config.RootModule == nil || len(out) == 0 || len(churn) == 0 {
		return
	}
	users := references{}
	users.module("", config.RootModule)
	// From the first address on, so that what is said of a resource is the same in each scan.
	slices.SortFunc(out, func(a, b int) int { return strings.Compare(c.found[a].Address, c.found[b].Address) })
	from, own := map[string]string{}, map[string]bool{}
	for _, i := range out {
		own[c.found[i].Address] = true
		users.spread(c.nodes[i], c.found[i].Address, from)
	}
	for _, i := range churn {
		f := &c.found[i]
		if origin := from[c.nodes[i]]; origin != "" && !own[f.Address] {
			f.Class = OutOfBand
			if f.Message != "" {
				f.Message += ", "
			}
			f.Message += "follows from " + origin
		}
	}
}

// readers are the nodes that follow from the states that a configuration reads. Those that refer to a local value may, since
// plans do not say what locals refer to.
func readers(config *tfjson.Config) map[string]string {
	if config == nil || config.RootModule == nil {
		return nil
	}
	users, from := references{}, map[string]string{}
	users.module("", config.RootModule)
	for name := range users {
		if _, in, _ := strings.Cut(name, "|"); strings.HasPrefix(in, "local.") || strings.HasPrefix(in, "data.terraform_remote_state.") {
			users.spread(name, name, from)
		}
	}
	return from
}

// references are, by resource, variable, local value or output of a module, those that refer to it.
type references map[string][]string

// spread notes the origin of all that refers to a node.
func (r references) spread(node, origin string, from map[string]string) {
	if from[node] != "" {
		return
	}
	from[node] = origin
	for queue := []string{node}; len(queue) > 0; queue = queue[1:] {
		for _, user := range r[queue[0]] {
			if from[user] == "" {
				from[user] = origin
				queue = append(queue, user)
			}
		}
	}
}

func (r references) module(path string, m *tfjson.ConfigModule) {
	for _, res := range m.Resources {
		if res == nil {
			continue
		}
		user := node(path, res.Address)
		r.expressions(path, user, res.Expressions)
		r.expression(path, user, res.CountExpression)
		r.expression(path, user, res.ForEachExpression)
	}
	for name, out := range m.Outputs {
		if out != nil {
			r.expression(path, node(path, "output."+name), out.Expression)
		}
	}
	for name, call := range m.ModuleCalls {
		if call == nil || call.Module == nil {
			continue
		}
		called := inner(path, name)
		for v, e := range call.Expressions {
			r.expression(path, node(called, "var."+v), e)
		}
		r.module(called, call.Module)
	}
}

func (r references) expressions(path, user string, all map[string]*tfjson.Expression) {
	for _, e := range all {
		r.expression(path, user, e)
	}
}

func (r references) expression(path, user string, e *tfjson.Expression) {
	if e == nil || e.ExpressionData == nil {
		return
	}
	for _, ref := range e.References {
		if to := target(path, ref); to != "" && !slices.Contains(r[to], user) {
			r[to] = append(r[to], user)
		}
	}
	for _, block := range e.NestedBlocks {
		r.expressions(path, user, block)
	}
}

// target is the node that a reference in a module is to; "" where it is to none.
func target(path, ref string) string {
	steps := strings.Split(withoutKeys(ref), ".")
	switch {
	case len(steps) < 2:
		return ""
	case steps[0] == "var" || steps[0] == "local":
		return node(path, steps[0]+"."+steps[1])
	case steps[0] == "module" && len(steps) > 2:
		return node(inner(path, steps[1]), "output."+steps[2])
	case steps[0] == "data" && len(steps) > 2:
		return node(path, strings.Join(steps[:3], "."))
	case slices.Contains([]string{"data", "module", "each", "count", "path", "terraform", "self"}, steps[0]):
		return ""
	}
	return node(path, steps[0]+"."+steps[1])
}

// node names a resource, variable or output of a module, without the keys of instances.
func node(module, name string) string { return module + "|" + name }

// nodeOf is the node of a resource that a plan names.
func nodeOf(rc *tfjson.ResourceChange) string {
	if rc.Mode == tfjson.DataResourceMode {
		return node(withoutKeys(rc.ModuleAddress), "data."+rc.Type+"."+rc.Name)
	}
	return node(withoutKeys(rc.ModuleAddress), rc.Type+"."+rc.Name)
}

// inner is the path of a module that another calls.
func inner(path, name string) string {
	if path == "" {
		return "module." + name
	}
	return path + ".module." + name
}

// withoutKeys is an address without what stands in brackets.
func withoutKeys(address string) string {
	if !strings.Contains(address, "[") {
		return address
	}
	var b strings.Builder
	quoted, inside := false, false
	for i := 0; i < len(address); i++ {
		switch ch := address[i]; {
		case quoted && ch == '\\':
			i++
		case ch == '"':
			quoted = !quoted
		case quoted:
		case ch == '[':
			inside = true
		case ch == ']':
			inside = false
		case !inside:
			b.WriteByte(ch)
		}
	}
	return b.String()
}
