package workspace

import "sync"

// interner keeps one copy of equal strings. Every string that outlives a scan goes
// through it, which also frees the files the strings were cut from.
type interner struct {
	mu   sync.Mutex
	seen map[string]string
}

func newInterner() *interner { return &interner{seen: map[string]string{}} }

func (in *interner) intern(s string) string {
	if s == "" {
		return ""
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if have, ok := in.seen[s]; ok {
		return have
	}
	c := string([]byte(s))
	in.seen[c] = c
	return c
}
