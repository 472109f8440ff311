package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// lists are the members of a plan that are lists of changes, the longest part of it: they are read one by one.
var lists = map[string]bool{"resource_changes": true, "resource_drift": true, "deferred_changes": true}

// planInput reads, checks and masks a plan. What no rule reads is left out.
func (e *Engine) planInput(plan []byte) (ast.Value, error) {
	sections, err := members(plan)
	if err != nil {
		return nil, fmt.Errorf("the plan cannot be read: %w", err)
	}
	if err := planOf(sections); err != nil {
		return nil, err
	}
	wanted := e.wanted()
	// A secret of one section may be written out in these two, so all sections are looked at before them.
	late := wanted("configuration") || wanted("variables")
	m := &masker{secrets: map[string]bool{}}
	kept := newTerms()
	reads := func(name string) bool { return late || wanted(name) || name == "resource_changes" }
	valid := make(chan bool, 1)
	go func() { valid <- validBut(sections, reads) }()
	var items [][2]*ast.Term
	for _, name := range sorted(sections) {
		if !reads(name) || name == "configuration" || name == "variables" {
			continue
		}
		term, err := section(name, sections[name], m, kept, wanted(name))
		if err != nil {
			return nil, fmt.Errorf("the plan cannot be read: %s: %w", name, err)
		}
		if wanted(name) {
			items = append(items, ast.Item(ast.StringTerm(name), term))
		}
	}
	if late {
		written, err := m.written(sections)
		if err != nil {
			return nil, err
		}
		for _, name := range sorted(written) {
			if wanted(name) {
				items = append(items, ast.Item(ast.StringTerm(name), kept.of(written[name])))
			}
		}
	}
	if !<-valid {
		return nil, fmt.Errorf("the plan cannot be read: %w", errSplit)
	}
	return ast.NewObject(items...), nil
}

// validBut tells whether the sections that are not read are JSON all the same: a plan that was cut off is not a plan.
func validBut(sections map[string]json.RawMessage, reads func(string) bool) bool {
	for name, body := range sections {
		if !reads(name) && !json.Valid(body) {
			return false
		}
	}
	return true
}

// wanted tells which members of input any rule reads.
func (e *Engine) wanted() func(string) bool {
	return func(name string) bool {
		for _, c := range e.sources {
			if c.whole || c.inputs[name] {
				return true
			}
		}
		return false
	}
}

// planOf checks that it is a plan of a form that is known.
func planOf(sections map[string]json.RawMessage) error {
	var version string
	if err := json.Unmarshal(sections["format_version"], &version); err != nil || version == "" {
		return errors.New("this is not a plan: it has no format_version")
	}
	if major, _, _ := strings.Cut(version, "."); major != "0" && major != "1" {
		return fmt.Errorf("the plan has the format %s, which this Mooring does not know", version)
	}
	if errored, ok := sections["errored"]; ok && string(errored) != "false" {
		return errors.New("the plan is not whole: Terraform met errors while it was made")
	}
	return nil
}

// section reads and masks one member of a plan.
func section(name string, body json.RawMessage, m *masker, kept terms, used bool) (*ast.Term, error) {
	if !lists[name] {
		value, err := decodeJSON(body)
		if err != nil {
			return nil, err
		}
		m.sweep(value)
		if !used {
			return nil, nil
		}
		return kept.of(value), nil
	}
	list, err := elements(body)
	if err != nil {
		return nil, err
	}
	return changes(name, list, m, kept, used)
}

// changes reads and masks a list of changes, as many at a time as there are processors: it is most of a plan.
func changes(name string, list []json.RawMessage, m *masker, kept terms, used bool) (*ast.Term, error) {
	hands := min(runtime.GOMAXPROCS(0), max(1, len(list)/100))
	members := make([]*ast.Term, len(list))
	errs := make([]error, hands)
	maskers := make([]*masker, hands)
	var reading sync.WaitGroup
	for h := range hands {
		maskers[h] = &masker{secrets: map[string]bool{}}
		mine := kept
		if h > 0 {
			mine = newTerms()
		}
		reading.Go(func() {
			for i := h; i < len(list) && errs[h] == nil; i += hands {
				value, err := decodeJSON(list[i])
				if err == nil && name == "resource_changes" {
					err = changeOf(value)
				}
				if err != nil {
					errs[h] = fmt.Errorf("number %d: %w", i+1, err)
					return
				}
				maskers[h].sweep(value)
				if used {
					members[i] = mine.of(value)
				}
			}
		})
	}
	reading.Wait()
	for _, some := range maskers {
		maps.Copy(m.secrets, some.secrets)
	}
	if err := errors.Join(errs...); err != nil || !used {
		return nil, err
	}
	return ast.ArrayTerm(members...), nil
}

// changeOf checks what every rule about a change builds on.
func changeOf(value any) error {
	rc, _ := value.(map[string]any)
	change, _ := rc["change"].(map[string]any)
	actions, _ := change["actions"].([]any)
	if address, _ := rc["address"].(string); address == "" || len(actions) == 0 {
		return errors.New("it has no address, or no actions")
	}
	return nil
}

// written reads and masks what people wrote: the configuration and the variables. Both are read together, for a secret of
// one may stand in the other.
func (m *masker) written(sections map[string]json.RawMessage) (map[string]any, error) {
	all := map[string]any{}
	for _, name := range []string{"configuration", "variables"} {
		body, ok := sections[name]
		if !ok {
			continue
		}
		value, err := decodeJSON(body)
		if err != nil {
			return nil, fmt.Errorf("the plan cannot be read: %s: %w", name, err)
		}
		all[name] = value
	}
	configuration, _ := all["configuration"].(map[string]any)
	m.module(configuration["root_module"])
	m.variables(all["variables"], configuration["root_module"])
	m.constants(all["configuration"], false)
	m.literals(all["variables"])
	return all, nil
}
