package mirror

// maxHaves bounds what is said to the remote of what is here: 50 bytes each.
const maxHaves = 256

// haves picks commits that the remote probably knows: the tips fetched last,
// then ancestors of the newest in gaps that double, so that a branch which was
// rewritten far back still meets a common commit within one request.
func haves(dir string, r *reader) ([]id, error) {
	tips, err := readTips(dir)
	if err != nil {
		return nil, err
	}
	seen := map[id]bool{}
	var list []id
	add := func(h id) {
		if !seen[h] && len(list) < maxHaves {
			seen[h] = true
			list = append(list, h)
		}
	}
	for _, t := range tips {
		add(t)
	}
	if len(tips) == 0 {
		return nil, nil
	}
	const near = 64 // commits named without gaps
	next, gap := 1, 1
	for i, h := 0, tips[0]; len(list) < maxHaves; i++ {
		if i == next {
			add(h)
			if i > near {
				gap *= 2
			}
			next += gap
		}
		if i > maxHistoryWalk {
			break
		}
		c, err := r.commit(h)
		if err != nil {
			return nil, err
		}
		if len(c.ParentHashes) == 0 {
			add(h)
			break
		}
		h = c.ParentHashes[0]
	}
	return list, nil
}

// maxHistoryWalk bounds how far haves looks back, in commits. A branch that was
// rewritten further back is fetched whole.
const maxHistoryWalk = 1000
