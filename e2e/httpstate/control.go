package httpstate

import (
	"encoding/json"
	"net/http"
	"strings"
)

// control answers a test in another process; see [Handler.ServeHTTP].
func (h *Handler) control(w http.ResponseWriter, r *http.Request, body []byte) {
	a := h.controlled(r.Method, r.URL.Path, body)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that left learns nothing
}

func (h *Handler) controlled(method, path string, body []byte) reply {
	ok := reply{http.StatusOK, nil}
	if state, found := strings.CutPrefix(path, "/_locks"); found && strings.HasPrefix(state, "/") {
		return h.controlLock(method, state, body)
	}
	if state, found := strings.CutPrefix(path, "/_states"); found && strings.HasPrefix(state, "/") {
		return h.controlState(method, state, body)
	}
	switch method + " " + path {
	case "GET /_faults":
		h.mu.Lock()
		defer h.mu.Unlock()
		return indented(h.faults)
	case "POST /_faults":
		f, err := ParseFault(body)
		if err != nil {
			return refuse(http.StatusBadRequest, "%v", err)
		}
		h.Inject(f)
		return ok
	case "DELETE /_faults":
		h.Heal()
		return ok
	case "POST /_release":
		h.Release()
		return ok
	case "GET /_requests":
		return indented(h.Requests())
	case "DELETE /_requests":
		h.ResetRequests()
		return ok
	}
	return refuse(http.StatusNotFound, "nothing answers %s %s", method, path)
}

func (h *Handler) controlLock(method, path string, body []byte) reply {
	switch method {
	case http.MethodGet:
		if l, locked := h.Lock(path); locked {
			return indented(l)
		}
		return refuse(http.StatusNotFound, "%s is not locked", path)
	case http.MethodPut:
		l, err := parseLock(body)
		if err != nil {
			return refuse(http.StatusBadRequest, "%v", err)
		}
		h.SetLock(path, l)
	case http.MethodDelete:
		h.SetLock(path, Lock{})
	default:
		return refuse(http.StatusMethodNotAllowed, "GET, PUT or DELETE a lock")
	}
	return reply{http.StatusOK, nil}
}

func (h *Handler) controlState(method, path string, body []byte) reply {
	switch method {
	case http.MethodGet:
		if s := h.State(path); s.Raw != nil {
			return reply{http.StatusOK, s.Raw}
		}
		return refuse(http.StatusNotFound, "no state at %s", path)
	case http.MethodPut:
		h.SetState(path, body)
	case http.MethodDelete:
		h.SetState(path, nil)
	default:
		return refuse(http.StatusMethodNotAllowed, "GET, PUT or DELETE a state")
	}
	return reply{http.StatusOK, nil}
}

func indented(v any) reply {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // plain structs
	}
	return reply{http.StatusOK, append(body, '\n')}
}
