package main

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// twoRunners starts a second server on a data directory that has one. It ends within two seconds, says why, and touches
// nothing. Every third round starts two at the same moment, of which one stays; every other one reaches the same directory
// by another name.
func twoRunners(p *play) {
	slowest := time.Duration(0)
	p.rounds(func(i int) {
		w := p.reuse(func() *world {
			s := p.standard()
			s.workspaces = 1
			return p.world(s)
		})
		if i%3 == 2 {
			for _, s := range w.servers {
				if !s.gone() {
					s.drained()
				}
			}
			w.servers = nil
			a, b := w.start("serve"), w.start("serve")
			w.await(20*time.Second, "one of two gives way", func() bool { return a.gone() || b.gone() })
			if a.gone() {
				a, b = b, a
			}
			w.servers = []*server{a}
			w.refused(b)
			w.await(10*time.Second, "the other serves", func() bool { return strings.Contains(a.said(), "msg=serving") })
			return
		}
		if len(w.servers) == 0 {
			w.serve()
			w.started(1)
		}
		config := w.config
		if i%2 == 1 {
			config = w.alias()
		}
		before := len(w.lines())
		began := time.Now()
		second := w.start("serve", "-c", config)
		w.await(10*time.Second, "the second one ends", second.gone)
		took := time.Since(began)
		slowest = max(slowest, took)
		if took > 2*time.Second {
			w.failf("it took %s to refuse a second server", took)
		}
		w.refused(second)
		w.servers = w.servers[:len(w.servers)-1]
		if first := w.servers[0]; first.gone() {
			w.failf("the first server is gone: %s", clip(first.said()))
		}
		w.sayf("%d effects before, %d after", before, len(w.lines()))
	})
	p.notef("the slowest refusal after %.1f s", slowest.Seconds())
}

// refused ends the round unless the server was turned away with the words for it.
func (w *world) refused(s *server) {
	if code := s.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(s.said(), "another Mooring") {
		w.failf("the second server: exit %d: %s", code, clip(s.said()))
	}
}

// alias is a configuration that names the data directory through a link.
func (w *world) alias() string {
	link, config := filepath.Join(w.dir, "other-name"), filepath.Join(w.dir, "other.hcl")
	if err := os.Symlink(w.data, link); err != nil && !os.IsExist(err) {
		w.must(err, "make a link")
	}
	text := strings.Replace(w.read(w.config), w.data, link, 1)
	w.must(os.WriteFile(config, []byte(text), 0o600), "write a configuration")
	return config
}
