package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Pages are the runs as text. Each writes one page and stops with the first error
// of the writer. What is written must have no secrets in it and nothing that a
// terminal acts on. A reader may be slow: nobody else must wait for a page that is
// being written, so no transaction is open meanwhile.
type Pages interface {
	Runs(w io.Writer) error
	Run(w io.Writer, run string) error
	Unit(w io.Writer, run, unit string) error
}

// ErrNoPage is what Pages answer for a run or unit that is not there.
var ErrNoPage = errors.New("there is no such page")

const (
	maxPage  = 64 << 20 // bytes
	maxPages = 16       // at once
)

// RunPath is the path of a run's page.
func RunPath(run string) string { return "/runs/" + url.PathEscape(run) }

// UnitPath is the path of a unit's page, of any name that a unit may have. Slashes
// stay; a name with a segment that a browser or proxy would resolve, such as "."
// of the top directory, stands in the query.
func UnitPath(run, unit string) string {
	segments := strings.Split(unit, "/")
	if slices.ContainsFunc(segments, func(s string) bool { return s == "" || s == "." || s == ".." }) {
		return RunPath(run) + "?unit=" + url.QueryEscape(unit)
	}
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return RunPath(run) + "/" + strings.Join(segments, "/")
}

func addPages(mux *http.ServeMux, o Options) {
	p := &pages{Options: o, free: make(chan struct{}, maxPages), door: door{password: o.Password, now: o.Now}}
	all := p.page(func(w io.Writer, _ *http.Request) error { return o.Pages.Runs(w) })
	mux.Handle("GET /runs", all)
	mux.Handle("GET /runs/{$}", all)
	one := p.page(func(w io.Writer, r *http.Request) error {
		unit := r.PathValue("unit")
		if unit == "" {
			unit = r.URL.Query().Get("unit")
		}
		if unit == "" {
			return o.Pages.Run(w, r.PathValue("run"))
		}
		return o.Pages.Unit(w, r.PathValue("run"), unit)
	})
	mux.Handle("GET /runs/{run}", one)
	mux.Handle("GET /runs/{run}/{unit...}", one)
}

type pages struct {
	Options
	free chan struct{}
	door door
}

// page shows what write writes to those who may see it.
func (p *pages) page(write func(io.Writer, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if p.Pages == nil || p.Password == "" {
			http.Error(w, "The pages of runs are off. server.hcl switches them on: pages { password = env(\"NAME\") }", http.StatusNotFound)
			return
		}
		if !p.door.open(w, r) {
			return
		}
		select {
		case p.free <- struct{}{}:
			defer func() { <-p.free }()
		default:
			w.Header().Set("Retry-After", "5")
			http.Error(w, "too many pages at once", http.StatusServiceUnavailable)
			return
		}
		out := &sheet{w: w, head: r.Method == http.MethodHead, left: maxPage}
		p.finish(w, out, write(out, r))
	})
}

// finish ends a page that may not have come to its end.
func (p *pages) finish(w http.ResponseWriter, out *sheet, err error) {
	switch {
	case err == nil, out.gone, out.head && out.begun:
		return
	case out.full:
		_, _ = fmt.Fprintf(w, "\n(cut: a page ends after %d MiB)\n", maxPage>>20)
		return
	case errors.Is(err, ErrNoPage) && !out.begun:
		http.Error(w, ErrNoPage.Error(), http.StatusNotFound)
		return
	}
	// The reason is for the operator's log: nobody has looked through it for secrets.
	if p.Failed != nil {
		p.Failed(fmt.Errorf("show a page: %w", err))
	}
	if out.begun {
		_, _ = io.WriteString(w, "\n(cut: the rest could not be read)\n") // the reader has left, or reads it
		return
	}
	http.Error(w, "this page cannot be shown now", http.StatusInternalServerError)
}

var (
	errHead = errors.New("only the head was asked for")
	errFull = errors.New("the page is too long")
)

// sheet passes a page on as it is written, up to a size, and keeps none of it.
type sheet struct {
	w     io.Writer
	head  bool
	left  int
	begun bool // something was written
	full  bool // more was written than fits
	gone  bool // the reader has left, or was too slow
}

func (s *sheet) Write(b []byte) (int, error) {
	s.begun = true
	if s.head {
		return 0, errHead
	}
	fits := min(len(b), s.left)
	n, err := s.w.Write(b[:fits])
	s.left -= n
	switch {
	case err != nil:
		s.gone = true
		return n, err
	case fits < len(b):
		s.full = true
		return n, errFull
	}
	return n, nil
}
