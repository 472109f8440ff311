package runner

import (
	"slices"
	"time"

	"github.com/mooring-iac/mooring/workspace"
)

// DriftOptions are what the operator says of drift scans over all repositories.
type DriftOptions struct {
	Parallel int           // scans at once; 0 is half of Options.Parallel, at least one
	Stale    time.Duration // how long after it was due a unit that was not scanned is told of; 0 is 24 hours
}

// DriftConfig is what the operator says of drift scans of one repository.
type DriftConfig struct {
	Every     time.Duration       // for units of which mooring.hcl says neither every nor cron; 0 scans only those of which it does
	Remediate workspace.Remediate // the ceiling for mooring.hcl; "" is never
	Parallel  int                 // scans at once; 0 has only the server's limit
}

// CredentialGroup is units that use the same credentials. At most so many of them are scanned at once, or their provider
// sees a burst of requests from one account.
type CredentialGroup struct {
	Name         string
	Repositories []string // none is all
	Units        []string // patterns of unit ids; * and ** as in mooring.hcl; none is all
	Parallel     int      // scans at once; 0 lets none begin
}

// Holds is whether a unit is in the group.
func (g CredentialGroup) Holds(repository, unit string) bool {
	if len(g.Repositories) > 0 && !slices.Contains(g.Repositories, repository) {
		return false
	}
	return len(g.Units) == 0 || slices.ContainsFunc(g.Units, func(pattern string) bool {
		_, ok := workspace.MatchPath(pattern, unit)
		return ok
	})
}

// CredentialsOf is the name of the first group that holds a unit, "" where none does.
func (o Options) CredentialsOf(repository, unit string) string {
	for _, g := range o.Credentials {
		if g.Holds(repository, unit) {
			return g.Name
		}
	}
	return ""
}
