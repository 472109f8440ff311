package terraform

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// adoptedFor is how long a dead child stays one before it is taken for an orphan: whoever started a child here waits for it, and takes a
// dead one away at once.
const adoptedFor = 5 * time.Second

// ReapOrphans takes away what dies as a child of the first process of a container without having been started by it: processes whose
// parents are gone. It returns when ctx ends, at once where this is not the first process.
func ReapOrphans(ctx context.Context) {
	if os.Getpid() != 1 {
		return
	}
	dead := map[int]time.Time{}
	look := time.NewTicker(adoptedFor / 2)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-look.C:
			seen := map[int]time.Time{}
			for _, p := range processes() {
				if p.parent != 1 || p.state != "Z" {
					continue
				}
				since, known := dead[p.pid]
				switch {
				case !known:
					seen[p.pid] = now
				case now.Sub(since) < adoptedFor:
					seen[p.pid] = since
				default:
					_, _ = unix.Wait4(p.pid, nil, unix.WNOHANG, nil)
				}
			}
			dead = seen
		}
	}
}
