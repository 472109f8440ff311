package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// canaryState stands in every state of these scenarios, so that a state which is printed somewhere is seen there.
const canaryState = "canary-of-a-state"

// fullDisk has the disk below the data directory fill up at a drawn moment of the applies: some points before anything can
// be applied, most in the middle of it, when Terraform has to store what it made. With room again the next pass goes on,
// no effect happens a second time unasked, and no state was printed because it could not be stored.
func fullDisk(p *play) {
	p.tmpfs()
	flags := 0
	p.rounds(func(i int) {
		s := p.standard()
		s.workspaces = 2
		s.resources = 4
		w := p.world(s)
		at := 1 + p.rng.IntN(len(w.want()))
		size := "256m"
		if i%5 == 4 { // too small from the start
			size, at = []string{"64k", "256k", "1m", "8m", "32m"}[p.rng.IntN(5)], 0
		}
		p.sayf("%s, full at effect %d", size, at)
		room, found := w.onDisk(size, at)
		if room.code != 0 && room.code != 2 {
			w.failf("with room again: %s", room)
		}
		for _, f := range strings.Fields(found) {
			flags++
			w.logf("flagged: %s", f)
		}
		for _, f := range w.printed() {
			if strings.Contains(w.read(f), canaryState) {
				w.failf("a state that could not be stored was printed: %s", f)
			}
		}
		w.nothingLost(nil)
		w.done()
	})
	p.notef("%d units flagged and approved", flags)
}

// onDisk plays one round in a mount namespace of its own: a pass on a disk of the size that fills when `at` effects have
// started, then passes with room, with whatever waits approved, until there is nothing to do. It answers the last result
// and the units that waited.
func (w *world) onDisk(size string, at int) (result, string) {
	script := `set -u
disk=$1 size=$2 at=$3 mooring=$4 journal=$5 logs=$6
shift 6 # what is left goes before every mooring
mkdir -p "$disk" && mount -t tmpfs -o size="$size",mode=700 tmpfs "$disk" || exit 99
"$@" "$mooring" sync -o json > "$logs/small.stdout" 2> "$logs/small.stderr" &
pid=$!
if [ "$at" != 0 ]; then
  while kill -0 $pid 2>/dev/null && [ "$(grep -c ' start ' "$journal" 2>/dev/null)" -lt "$at" ]; do sleep 0.02; done
  cat /dev/zero > "$disk/filler" 2>/dev/null
fi
wait $pid
echo "small: exit $?" >&2
rm -f "$disk/filler"
mount -o remount,size=512m "$disk"
for pass in 1 2 3 4 5 6; do
  "$@" "$mooring" sync -o json > "$logs/large.stdout" 2> "$logs/large.stderr"
  code=$?
  [ $code = 0 ] && break
  "$@" "$mooring" runs --waiting -o json > "$logs/waiting.stdout"
  for id in $(grep -o '"id": *"r[^"]*"' "$logs/waiting.stdout" | grep -o 'r[0-9a-z]*"$' | tr -d '"'); do
    echo "flagged $id"
    printf '* - - approved %s\n' "$(date +%s)" >> "$journal"
    "$@" "$mooring" approve "$id" --by chaos > "$logs/approve.stdout" 2> "$logs/approve.stderr"
  done
done
for f in $(find "$disk" -name terraform.tfstate -path '*/state/*'); do cat "$f" > "$logs/$(basename $(dirname "$f")).state"; done
find "$disk" -path '*/runs/*' -name '*.log' -exec cat {} + > "$logs/runs.log"
exit $code`
	logs := filepath.Join(w.dir, "logs")
	w.must(os.MkdirAll(logs, 0o700), "make a directory")
	argv := append([]string{"unshare", "-Urm", "sh", "-c", script, "sh", w.data, size, strconv.Itoa(at), w.mooring, w.journal, logs}, w.wrap...)
	cmd := exec.CommandContext(w.ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = append(w.environ(), "MOORING_CONFIG="+w.config), w.dir, 5*time.Second
	r := w.finish(w.ctx, cmd)
	for _, m := range w.modules {
		text, err := normalise([]byte(w.read(filepath.Join(logs, m.workspace+".state"))))
		w.must(err, "read the state of "+m.workspace)
		if n := strings.Count(text, "managed "); n != len(m.resources) {
			w.failf("the state of %s has %d resources, want %d: %s; %s", m.workspace, n, len(m.resources), text, r)
		}
	}
	return r, strings.ReplaceAll(r.stdout, "flagged ", "")
}

// printed are the files that hold what Mooring and Terraform said.
func (w *world) printed() []string {
	found, err := filepath.Glob(filepath.Join(w.dir, "logs", "*"))
	w.must(err, "list the logs")
	var all []string
	for _, f := range found {
		if !strings.HasSuffix(f, ".state") {
			all = append(all, f)
		}
	}
	return all
}

// tmpfs says when this machine cannot play with disks.
func (p *play) tmpfs() {
	if out, err := exec.Command("unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", p.bench.dir).CombinedOutput(); err != nil {
		p.failf("a tmpfs in a namespace is needed: %w: %s", err, out)
	}
}
