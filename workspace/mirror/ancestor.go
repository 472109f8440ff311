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
		yes, err = isAncestor(func(h id) (node, error) {
			c, err := r.commit(h)
			if err != nil {
				return node{}, err
			}
			return node{when: c.Committer.When, parents: c.ParentHashes}, nil
		}, ha, hb)
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

const (
	fromA = 1 << iota
	fromB
)

// isAncestor paints history from both ends, newest commits first, until only
// commits painted by both are left to visit: these can tell nothing new. Two
// branches that parted lately are told apart without reading all of history.
// Clocks that go wrong cost time only. (Git's paint_down_to_common.)
func isAncestor(read func(id) (node, error), a, b id) (bool, error) {
	if a == b {
		return true, nil
	}
	paint := map[id]uint8{}
	var queue byTime
	open := 0 // queued commits that not both have reached
	reach := func(h id, by uint8) error {
		old := paint[h]
		if old|by == old {
			return nil
		}
		paint[h] = old | by
		n, err := read(h)
		if err != nil {
			return err
		}
		heap.Push(&queue, visit{h, n, old | by})
		if old|by != fromA|fromB {
			open++
		}
		return nil
	}
	if err := reach(a, fromA); err != nil {
		return false, err
	}
	if err := reach(b, fromB); err != nil {
		return false, err
	}
	for open > 0 && len(queue) > 0 {
		v := heap.Pop(&queue).(visit)
		if v.by != fromA|fromB {
			open--
		}
		for _, p := range v.parents {
			if err := reach(p, v.by); err != nil {
				return false, err
			}
		}
		if paint[a]&fromB != 0 {
			return true, nil
		}
	}
	return false, nil
}

type visit struct {
	id id
	node
	by uint8
}

// byTime is a heap of commits, the newest on top.
type byTime []visit

func (q byTime) Len() int           { return len(q) }
func (q byTime) Less(i, j int) bool { return q[i].when.After(q[j].when) }
func (q byTime) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *byTime) Push(x any)        { *q = append(*q, x.(visit)) }
func (q *byTime) Pop() any {
	old := *q
	v := old[len(old)-1]
	*q = old[:len(old)-1]
	return v
}
