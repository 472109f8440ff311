package workspace

import (
	"slices"
	"time"

	"github.com/mooring-iac/mooring/internal/calendar"
)

// The settings of scans that a repository leaves out.
const (
	DefaultDriftBackoff    = 4
	DefaultDriftAfterApply = 10 * time.Minute
	DefaultDriftRemind     = 7 * 24 * time.Hour
)

// DriftSettings are what the drift block of mooring.hcl says, and over it that of a unit's own block. Only with Every or Cron
// has the repository asked for scans; what the server says counts where both are zero.
type DriftSettings struct {
	Disabled   bool          // enabled = false
	Every      time.Duration // 0 when nothing was said
	Cron       calendar.Cron // zero when nothing was said; never with Every
	Timezone   *time.Location
	Windows    []calendar.Window // none is always
	Backoff    int               // how many times Every a clean unit may wait at most; 1 is once
	AfterApply time.Duration     // 0 is not sooner than otherwise
	Remind     time.Duration     // 0 is never
	Remediate  Remediate
	Heal       bool // objects of a manifest set are put right without asking; never true of a workspace
	Ignore     []DriftIgnore
	Severity   []DriftSeverity

	// File and Line are the drift block that says most of the unit; "" and 0 without any.
	File string
	Line int
}

// DriftIgnore is a rule that leaves findings out of drift. It holds for what all of its lists name; an empty one names
// everything, and one of Addresses, Fields and Classes is not empty.
type DriftIgnore struct {
	Units     []string // globs of unit ids; empty in the block of a unit
	Addresses []string // globs of resource addresses and objects
	Fields    []string // globs of attributes
	Classes   []string // out_of_band, churn, unhealthy
	Reason    string
	Until     time.Time // it holds before this
	File      string
	Line      int
}

// Expired is whether the rule leaves out nothing any more.
func (i DriftIgnore) Expired(now time.Time) bool { return !now.Before(i.Until) }

// DriftSeverity is a rule that says how bad drift is; the first one that matches counts. It names kinds, changes or both.
type DriftSeverity struct {
	Kinds   []string // globs of kinds: aws_db_*, apps/*
	Changes []string // changed, deleted, added, broken
	Classes []string // out_of_band, churn, unhealthy
	Level   string   // info, warning, critical
	File    string
	Line    int
}

// Remediate is how far Mooring goes to heal drift by itself. The zero value does nothing.
type Remediate string

// The steps, each more than the one before.
const (
	RemediateNever       Remediate = "never"
	RemediateIssue       Remediate = "issue"
	RemediatePullRequest Remediate = "pull_request"
	RemediateApply       Remediate = "apply"
)

var remediations = []string{"never", "issue", "pull_request", "apply"}

// AtMost is the lower one of both; a word that is no step is the lowest.
func (r Remediate) AtMost(ceiling Remediate) Remediate {
	step := min(slices.Index(remediations, string(r)), slices.Index(remediations, string(ceiling)))
	return Remediate(remediations[max(0, step)])
}

func defaultDrift() DriftSettings {
	return DriftSettings{
		Timezone: time.UTC, Backoff: DefaultDriftBackoff, AfterApply: DefaultDriftAfterApply,
		Remind: DefaultDriftRemind, Remediate: RemediateNever,
	}
}

// drifts gives every unit its settings, and warns of rules whose time is over or long.
func (l *layout) drifts() {
	base := defaultDrift()
	if l.cfg.drift != nil {
		base = *l.cfg.drift
	}
	l.warnOfRules(base.Ignore)
	for _, u := range l.units {
		u.Drift = base
		if u.Kind == KindWorkspace {
			u.Drift.Heal = false
		}
		if u.decl == nil || u.decl.drift == nil {
			continue
		}
		own, diags := parseDrift(u.decl.drift, u.Drift, u)
		l.add(diags...)
		u.Drift = own
		l.warnOfRules(own.Ignore)
	}
}

func (l *layout) warnOfRules(rules []DriftIgnore) {
	now := time.Now
	if l.scan.opts.Now != nil {
		now = l.scan.opts.Now
	}
	for _, i := range rules {
		switch at := now(); {
		case i.Expired(at):
			l.scan.warn(i.File, i.Line, "this ignore rule ended on %s and leaves out nothing: %s", i.Until.Format(time.DateOnly), i.Reason)
		case i.Until.After(at.AddDate(1, 0, 0)):
			l.scan.warn(i.File, i.Line, "this ignore rule goes on until %s, more than a year: nobody will remember why", i.Until.Format(time.DateOnly))
		}
	}
}
