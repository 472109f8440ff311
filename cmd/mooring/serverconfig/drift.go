package serverconfig

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/mooring-iac/mooring/workspace"
)

// Drift is what holds for drift scans of all repositories.
type Drift struct {
	Parallel int           // scans at once; 0 leaves it to the runner
	Stale    time.Duration // how long after it was due a unit that was not scanned is told of
}

// RepositoryDrift is what the server says of the drift scans of a repository.
type RepositoryDrift struct {
	Every     time.Duration // where mooring.hcl says no schedule; 0 scans only where it does
	Remediate string        // the ceiling for mooring.hcl: pull_request, never, issue or apply
	Parallel  int           // scans at once; 0 has only the server's limit
}

// Credentials are units that use the same ones, of which only so many are scanned at once.
type Credentials struct {
	Name         string
	Repositories []string // none is all
	Units        []string // patterns of unit ids; none is all
	Parallel     int
}

const (
	// DefaultStale is one day: an hour of a provider's trouble is no news.
	DefaultStale = 24 * time.Hour

	minEvery    = time.Second
	mostEvery   = 366 * 24 * time.Hour
	mostAtOnce  = 1024
	usualAtOnce = 1 // of a group that says nothing else
)

var (
	driftSchema           = attributes("parallel", "stale")
	repositoryDriftSchema = attributes("every", "remediate", "parallel")
	credentialGroupSchema = attributes("repositories", "units", "parallel")
)

func (d *decoder) drift(b *hcl.Block) Drift {
	at := d.single(b, driftSchema)
	return Drift{Parallel: d.whole(at["parallel"], 1, mostAtOnce), Stale: d.age(at["stale"], DefaultStale)}
}

func (d *decoder) repositoryDrift(b *hcl.Block) RepositoryDrift {
	at := d.single(b, repositoryDriftSchema)
	return RepositoryDrift{
		Every:     d.period(at["every"]),
		Remediate: d.oneOf(at["remediate"], "pull_request", "never", "issue", "apply"),
		Parallel:  d.whole(at["parallel"], 1, mostAtOnce),
	}
}

// checkDrift says what has no effect.
func (d *decoder) checkDrift(r Repository, b *hcl.Block) {
	if b == nil {
		return
	}
	attrs, _ := b.Body.JustAttributes()
	a := attrs["remediate"]
	if a == nil {
		return
	}
	switch said, _ := literal(a.Expr); {
	case said != r.Drift.Remediate: // it was refused, and the default stands in
	case r.Drift.Remediate == "apply" && r.Apply == "never":
		d.warn(a.NameRange, "Not used", fmt.Sprintf("Repository %q applies nothing (apply = \"never\"), drift neither.", r.Name))
	case (r.Drift.Remediate == "issue" || r.Drift.Remediate == "pull_request") && r.Forge == nil:
		d.warn(a.NameRange, "Not used", fmt.Sprintf("%s is made on a forge, and this repository has no forge block.", r.Drift.Remediate))
	}
}

// period is a duration that may be in days, 0 where it is left out.
func (d *decoder) period(a *hcl.Attribute) time.Duration {
	if a == nil {
		return 0
	}
	var t time.Duration
	if s, ok := literal(a.Expr); ok && days.MatchString(s) {
		t = d.age(a, 0)
	} else {
		t = d.duration(a, 0, minEvery)
	}
	if t > mostEvery {
		d.fail(a.Expr.Range(), "Too long", fmt.Sprintf("%s is at most a year.", a.Name))
	}
	return t
}

func (d *decoder) credentialGroup(b *hcl.Block) Credentials {
	at := d.content(b.Body, credentialGroupSchema).Attributes
	c := Credentials{Name: b.Labels[0], Repositories: d.repositoryNames(at["repositories"]), Parallel: usualAtOnce}
	for _, i := range d.filled(at["units"], "units = [\"prod/**\"] names the units that use these credentials") {
		if _, err := workspace.CheckPattern(i.text); err != nil || i.text == "" {
			d.fail(i.at, "Not a pattern", fmt.Sprintf("Each entry of units is the id of a unit, with * and ** as in mooring.hcl: %q is none.", i.text))
			continue
		}
		c.Units = append(c.Units, i.text)
	}
	if at["parallel"] != nil {
		c.Parallel = d.whole(at["parallel"], 1, mostAtOnce)
	}
	return c
}
