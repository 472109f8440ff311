package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/mooring-iac/mooring/policies"
)

// ChangeSet is what would happen to the objects of a manifest set.
type ChangeSet struct {
	Name    string
	Changes []Change
	Live    []map[string]any // objects as they are in the cluster, beside those of Changes
}

// Change is what would happen to one object.
type Change struct {
	Verb   string         // create, configure, recreate, delete, prune
	Ref    string         // as reports say it
	Object map[string]any // as it would be; nil where it goes
	Live   map[string]any // as it is; nil where there is none
}

// Manifests asks the rules about objects, each of them an input of its own as Conftest has it, and then about the change
// set, whose input has the kind ChangeSet of mooring/v1 and lists what would happen, so that what goes can be judged. About
// that only rules are asked that name it.
// Rules find the live objects in data.mooring.live. Data of Secrets is masked everywhere.
func (e *Engine) Manifests(ctx context.Context, objects []map[string]any, changes ChangeSet, facts policies.Facts) policies.Verdict {
	if e == nil || !e.loaded {
		return Broken(nil)
	}
	return e.judge(ctx, func() ([]task, error) {
		kept := newTerms()
		type input struct {
			value         ast.Value
			name, subject string
			set           bool
		}
		var inputs []input
		for i, o := range objects {
			ref, err := reference(o)
			if err != nil {
				return nil, fmt.Errorf("manifest %d of %d cannot be judged: %w", i+1, len(objects), err)
			}
			inputs = append(inputs, input{kept.of(maskSecret(o)).Value, ref, ref, false})
		}
		set, err := changes.input()
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, input{kept.of(set).Value, "changes", "", true})

		known, err := factsTerm(facts)
		if err != nil {
			return nil, err
		}
		live, err := changes.live(kept)
		if err != nil {
			return nil, err
		}
		known.Value.(ast.Object).Insert(ast.StringTerm("live"), live)
		var tasks []task
		for _, c := range e.sources {
			for _, in := range inputs {
				rules := c.rules
				if in.set {
					rules = c.aboutChanges()
				}
				if len(rules) == 0 {
					continue
				}
				shown := c.store.base.with(map[string]*ast.Term{"mooring": known, "conftest": conftest(in.name, facts.Dir)})
				tasks = append(tasks, task{source: c, rules: rules, input: in.value, view: shown, subject: in.subject})
			}
		}
		return tasks, nil
	})
}

// reference is "apiVersion/Kind/namespace/name", with nothing for the namespace of what has none.
func reference(o map[string]any) (string, error) {
	apiVersion, _ := o["apiVersion"].(string)
	kind, _ := o["kind"].(string)
	metadata, _ := o["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	namespace, _ := metadata["namespace"].(string)
	if apiVersion == "" || kind == "" || name == "" {
		return "", errors.New("it has no apiVersion, no kind or no metadata.name")
	}
	return strings.Join([]string{apiVersion, kind, namespace, name}, "/"), nil
}

// verbs are what may happen to an object.
var verbs = map[string]bool{"create": true, "configure": true, "recreate": true, "delete": true, "prune": true}

// input is the change set as rules see it.
func (c ChangeSet) input() (map[string]any, error) {
	list := make([]any, len(c.Changes))
	for i, change := range c.Changes {
		if !verbs[change.Verb] || change.Object == nil && change.Live == nil {
			return nil, fmt.Errorf("change %d of %d (%s %s) cannot be judged: there is no such verb, or no object", i+1, len(c.Changes), change.Verb, change.Ref)
		}
		list[i] = map[string]any{
			"verb": change.Verb, "ref": change.Ref, "object": orNull(maskSecret(change.Object)), "live": orNull(maskSecret(change.Live)),
		}
	}
	return map[string]any{
		"apiVersion": "mooring/v1", "kind": kindOfSet, "metadata": map[string]any{"name": c.Name}, "changes": list,
	}, nil
}

// orNull keeps a map that is not there from looking like an empty object.
func orNull(o map[string]any) any {
	if o == nil {
		return nil
	}
	return o
}

// live are the objects of the cluster by reference.
func (c ChangeSet) live(kept terms) (*ast.Term, error) {
	all := map[string]*ast.Term{}
	add := func(o map[string]any) error {
		ref, err := reference(o)
		if err != nil {
			return fmt.Errorf("a live object cannot be read: %w", err)
		}
		all[ref] = kept.of(maskSecret(o))
		return nil
	}
	for _, o := range c.Live {
		if err := add(o); err != nil {
			return nil, err
		}
	}
	for _, change := range c.Changes {
		if change.Live == nil {
			continue
		}
		if err := add(change.Live); err != nil {
			return nil, err
		}
	}
	items := make([][2]*ast.Term, 0, len(all))
	for _, ref := range sorted(all) {
		items = append(items, ast.Item(ast.StringTerm(ref), all[ref]))
	}
	return ast.ObjectTerm(items...), nil
}

// aboutChanges are the rules that are asked about change sets.
func (c *compiled) aboutChanges() []rule {
	var some []rule
	for _, r := range c.rules {
		if r.changes {
			some = append(some, r)
		}
	}
	return some
}
