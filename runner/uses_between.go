package runner

import (
	"sync"

	"github.com/mooring-iac/mooring/workspace"
)

// usesBetween is what the units of a head use, and what those of its base do. Each tree is listed once, when it is
// first asked about.
type usesBetween struct {
	head headUses
	base baseUses
}

func newUsesBetween(head, base func() (workspace.Tree, error), before func() (*workspace.Graph, error)) usesBetween {
	read := func(open func() (workspace.Tree, error)) func() (*workspace.UsesReader, error) {
		return sync.OnceValues(func() (*workspace.UsesReader, error) {
			tree, err := open()
			if err != nil {
				return nil, err
			}
			return workspace.NewUsesReader(tree)
		})
	}
	b := baseUses{read: read(base), before: before}
	b.anywhere = sync.OnceValues(b.all)
	return usesBetween{head: headUses{read: read(head)}, base: b}
}

type headUses struct {
	read func() (*workspace.UsesReader, error)
}

func (h headUses) of(u *workspace.Unit) ([]workspace.Use, error) {
	reader, err := h.read()
	if err != nil {
		return nil, err
	}
	return reader.Of(u)
}

type baseUses struct {
	read     func() (*workspace.UsesReader, error)
	before   func() (*workspace.Graph, error)
	anywhere func() ([]workspace.Use, error)
}

// of is what the base uses in a unit; of one that it does not have, what it uses anywhere.
func (b baseUses) of(id string) ([]workspace.Use, error) {
	graph, err := b.before()
	if err != nil {
		return nil, err
	}
	u := graph.Unit(id)
	if u == nil {
		return b.anywhere()
	}
	reader, err := b.read()
	if err != nil {
		return nil, err
	}
	return reader.Of(u)
}

func (b baseUses) all() (all []workspace.Use, err error) {
	graph, err := b.before()
	if err != nil {
		return nil, err
	}
	reader, err := b.read()
	if err != nil {
		return nil, err
	}
	for _, unit := range graph.Units {
		uses, err := reader.Of(unit)
		if err != nil {
			return nil, err
		}
		all = append(all, uses...)
	}
	return all, nil
}
