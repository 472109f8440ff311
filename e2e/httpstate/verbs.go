package httpstate

import (
	"bytes"
	"net/http"
	"slices"
)

// answer does what a request asks.
func (h *Handler) answer(r Request, body []byte) reply {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch r.Method {
	case http.MethodGet:
		s := h.current(r.Path)
		if s.Raw == nil {
			return refuse(http.StatusNotFound, "no state at %s", r.Path)
		}
		return reply{http.StatusOK, s.Raw}
	case http.MethodPost:
		return h.write(r, body)
	case http.MethodDelete:
		if by, locked := h.locks[r.Path]; locked && by.ID != r.LockID {
			return held(http.StatusLocked, by)
		}
		h.states[r.Path] = append(h.states[r.Path], State{})
		return reply{http.StatusOK, nil}
	case "LOCK":
		return h.lock(r, body)
	case "UNLOCK":
		return h.unlock(r, body)
	}
	return refuse(http.StatusMethodNotAllowed, "%s is not a method of this backend", r.Method)
}

func (h *Handler) write(r Request, body []byte) reply {
	by, locked := h.locks[r.Path]
	switch {
	case locked && by.ID != r.LockID:
		return held(http.StatusLocked, by)
	case !locked && r.LockID != "":
		// The lock was broken meanwhile: what this client knows may be old.
		return refuse(http.StatusConflict, "lock %s is not held", r.LockID)
	}
	s, err := parseState(body)
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	h.states[r.Path] = append(h.states[r.Path], s)
	return reply{http.StatusOK, nil}
}

func (h *Handler) lock(r Request, body []byte) reply {
	want, err := parseLock(body)
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	// The same lock again is a request whose answer was lost.
	if by, locked := h.locks[r.Path]; locked && by.ID != want.ID {
		return held(http.StatusLocked, by)
	}
	h.locks[r.Path] = want
	return reply{http.StatusOK, nil}
}

func (h *Handler) unlock(r Request, body []byte) reply {
	by, locked := h.locks[r.Path]
	if forced := len(bytes.TrimSpace(body)) == 0; !forced {
		if _, err := parseLock(body); err != nil {
			return refuse(http.StatusBadRequest, "%v", err)
		}
		if locked && by.ID != r.LockID {
			return held(http.StatusConflict, by)
		}
	}
	if !locked {
		return refuse(http.StatusConflict, "%s is not locked", r.Path)
	}
	delete(h.locks, r.Path)
	return reply{http.StatusOK, nil}
}

func (h *Handler) current(path string) State {
	if all := h.states[path]; len(all) > 0 {
		return all[len(all)-1]
	}
	return State{}
}

// State returns what is stored at a path such as "/network"; the zero State when there is none.
func (h *Handler) State(path string) State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current(path)
}

// History returns every state that was stored at a path, the oldest first; a removal is a zero State.
func (h *Handler) History(path string) []State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.states[path])
}

// SetState stores a state past locks and checks, garbage too; nil removes it.
func (h *Handler) SetState(path string, raw []byte) {
	s, _ := parseState(raw) // a test may want one that no client could have written
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states[path] = append(h.states[path], s)
}

// Lock returns who holds the lock of a path; ok is false when it is free.
func (h *Handler) Lock(path string) (l Lock, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l, ok = h.locks[path]
	return l, ok
}

// SetLock plants a lock, in place of any that is there; one without an ID frees the path.
func (h *Handler) SetLock(path string, l Lock) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.ID == "" {
		delete(h.locks, path)
		return
	}
	h.locks[path] = l
}
