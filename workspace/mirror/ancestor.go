package mirror

import (
	"container/heap"
	"fmt"
	"time"
)

// IsAncestor says whether commit a is b or one of its ancestors. When the head
// polled last is no ancestor of the new one, the branch was force-pushed.
func (m *Mirror) IsAncestor(a, b string) (bool, error) {
	var yes bool
	err := m.read(func(r *reader) error {
		ha, err := parseID(a)
		if err != nil {
			return err
		}
		hb, err := parseID(b)
		if err != nil {
			return err
		}
		yes, err = isAncestor(r.node, ha, hb)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("is %s an ancestor of %s: %w", a, b, err)
	}
	return yes, nil
}

// node is a commit as the walk over history sees it.
type node struct {
	when    time.Time
	parents []id
}

// node reads a commit for a walk over history.
func (r *reader) node(h id) (node, error) {
	c, err := r.commit(h)
	if err != nil {
		return node{}, err
	}
	return node{when: c.Committer.When, parents: c.ParentHashes}, nil
}

const (
	fromA = 1 << iota
	fromB
	stale    // below a common ancestor
	fromBoth = fromA | fromB
)

// isAncestor paints history from both ends, newest commits first, until only
// commits painted by both are left to visit: these can tell nothing new. Two
// branches that parted lately are told apart without reading all of history.
// Clocks that go wrong cost time only. (Git's paint_down_to_common.)
func isAncestor(read func(id) (node, error), a, b id) (bool, error) {
	if a == b {
		return true, nil
	}
	p := painter{read: read, seen: map[id]*visit{}, closed: fromBoth}
	if err := p.reach(a, fromA); err != nil {
		return false, err
	}
	if err := p.reach(b, fromB); err != nil {
		return false, err
	}
	for p.open > 0 {
		v := p.next()
		for _, parent := range v.parents {
			if err := p.reach(parent, v.paint); err != nil {
				return false, err
			}
		}
		if p.seen[a].paint&fromB != 0 {
			return true, nil
		}
	}
	return false, nil
}

type painter struct {
	read  func(id) (node, error)
	seen  map[id]*visit
	queue byTime

	closed uint8 // the paint that makes a commit tell nothing new
	open   int   // commits in the queue without it
}

func (p *painter) isClosed(v *visit) bool { return v.paint&p.closed == p.closed }

// next takes the newest commit off the queue.
func (p *painter) next() *visit {
	v := heap.Pop(&p.queue).(*visit)
	v.queued = false
	if !p.isClosed(v) {
		p.open--
	}
	return v
}

// visit is a commit that was reached.
type visit struct {
	node
	id     id
	paint  uint8 // the ends it was reached from
	queued bool
	common bool // for mergeBases: noted as a common ancestor
}

// reach paints a commit and, when that is news, queues it to paint its parents.
func (p *painter) reach(h id, paint uint8) error {
	v := p.seen[h]
	if v == nil {
		n, err := p.read(h)
		if err != nil {
			return err
		}
		v = &visit{node: n, id: h}
		p.seen[h] = v
	}
	if v.paint|paint == v.paint {
		return nil
	}
	if v.queued && !p.isClosed(v) {
		p.open-- // counted anew below
	}
	v.paint |= paint
	if !p.isClosed(v) {
		p.open++
	}
	if !v.queued {
		v.queued = true
		heap.Push(&p.queue, v)
	}
	return nil
}

// byTime is a heap of commits, the newest on top.
type byTime []*visit

func (q byTime) Len() int           { return len(q) }
func (q byTime) Less(i, j int) bool { return q[i].when.After(q[j].when) }
func (q byTime) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *byTime) Push(x any)        { *q = append(*q, x.(*visit)) }
func (q *byTime) Pop() any {
	old := *q
	v := old[len(old)-1]
	*q = old[:len(old)-1]
	return v
}
