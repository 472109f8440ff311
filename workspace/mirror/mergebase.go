package mirror

import (
	"context"
	"fmt"
)

// maxHistory bounds how many commits one walk looks at, some 200 bytes each.
const maxHistory = 500_000

// nodes reads commits for several walks over one history, each once.
func (r *reader) nodes(ctx context.Context) func(id) (node, error) {
	seen := map[id]node{}
	return func(h id) (node, error) {
		if n, ok := seen[h]; ok {
			return n, nil
		}
		if err := ctx.Err(); err != nil {
			return node{}, err
		}
		if len(seen) >= maxHistory {
			return node{}, fmt.Errorf("the common history was not found within %d commits", maxHistory)
		}
		n, err := r.node(h)
		if err == nil {
			seen[h] = n
		}
		return n, err
	}
}

// mergeBases returns the best common ancestors of a and b: those that are no
// ancestor of another one. It is a alone, or b, where one contains the other,
// and none where they share no history. (Git's paint_down_to_common, and then
// its remove_redundant.)
func mergeBases(read func(id) (node, error), a, b id) ([]id, error) {
	if a == b {
		return []id{a}, nil
	}
	p := painter{read: read, seen: map[id]*visit{}, closed: stale}
	if err := p.reach(a, fromA); err != nil {
		return nil, err
	}
	if err := p.reach(b, fromB); err != nil {
		return nil, err
	}
	var common []*visit
	for p.open > 0 {
		v := p.next()
		paint := v.paint
		if paint&fromBoth == fromBoth {
			if !v.common {
				v.common = true
				common = append(common, v)
			}
			paint |= stale // what is below can be no better
		}
		for _, parent := range v.parents {
			if err := p.reach(parent, paint); err != nil {
				return nil, err
			}
		}
	}
	for _, end := range []id{a, b} {
		if p.seen[end].paint&fromBoth == fromBoth {
			return []id{end}, nil
		}
	}
	var bases []id
	for _, v := range common {
		if v.paint&stale == 0 {
			bases = append(bases, v.id)
		}
	}
	return dropRedundant(read, bases)
}

// dropRedundant drops ancestors of others, which a walk in the order of clocks
// that go wrong leaves among the best.
func dropRedundant(read func(id) (node, error), ids []id) ([]id, error) {
	var best []id
	for i, h := range ids {
		redundant := false
		for j, other := range ids {
			if i == j || redundant {
				continue
			}
			var err error
			if redundant, err = isAncestor(read, h, other); err != nil {
				return nil, err
			}
		}
		if !redundant {
			best = append(best, h)
		}
	}
	return best, nil
}
