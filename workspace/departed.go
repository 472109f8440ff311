package workspace

import (
	"slices"
	"strings"
)

// Known is a unit as it was remembered from an earlier commit.
type Known struct {
	ID            string
	Kind          Kind
	Dir           string // of a workspace
	Workspace     string
	StateIdentity string
	Path          string // of a manifest set
}

// Remember takes of a unit what Departed needs later.
func (u *Unit) Remember() Known {
	return Known{ID: u.ID, Kind: u.Kind, Dir: u.Dir, Workspace: u.Workspace, StateIdentity: u.StateIdentity(), Path: u.Path}
}

// Fate says what became of a unit that the graph does not have any more.
type Fate string

const (
	// Moved: another unit owns the same state, or the same manifests. Nothing is destroyed.
	Moved Fate = "moved"
	// Destroy: the directory has no Terraform files any more and no unit owns the
	// state. A person decides.
	Destroy Fate = "destroy"
	// Orphaned: it merely stopped being found. A warning until a person decides.
	Orphaned Fate = "orphaned"
	// RemovedManifests: a manifest set without a successor. It is held.
	RemovedManifests Fate = "removed_manifests"
)

// Departure is one unit that is gone, and why that is thought.
type Departure struct {
	Unit   Known
	Fate   Fate
	To     string // the id of the successor, for Moved
	Reason string
}

// Departures are all units that are gone, by id.
type Departures struct {
	Units []Departure
}

// Departed compares remembered units with a graph. It is pure.
func Departed(before []Known, g *Graph) Departures {
	owner := map[string]string{}
	sets := map[string]string{}
	old := map[string]Known{}
	for _, known := range before {
		old[known.ID] = known
	}
	// Units that could have taken a state over without the repository telling: their
	// own is not named, and was not theirs before. By backend type.
	unnamed := map[string]string{}
	for _, u := range g.Units {
		if u.Kind == KindManifests {
			sets[u.Path] = u.ID
			continue
		}
		if id := u.StateIdentity(); id != "" {
			owner[id] = u.ID
		} else if was, ok := old[u.ID]; !ok || was.StateIdentity != "" {
			unnamed[u.Module.Backend.Type] = u.ID
		}
	}
	var out Departures
	for _, known := range before {
		if u := g.Unit(known.ID); u != nil && u.Kind == known.Kind {
			continue
		}
		d := Departure{Unit: known}
		if known.Kind == KindManifests {
			d.Fate, d.Reason = RemovedManifests, "no manifest set has the path "+known.Path+" any more"
			if to, ok := sets[known.Path]; ok {
				d.Fate, d.To, d.Reason = Moved, to, "the same manifests are now "+to
			}
		} else {
			d.decide(g, owner, unnamed)
		}
		out.Units = append(out.Units, d)
	}
	slices.SortFunc(out.Units, func(a, b Departure) int {
		if a.Unit.ID < b.Unit.ID {
			return -1
		}
		return 1
	})
	return out
}

func (d *Departure) decide(g *Graph, owner, unnamed map[string]string) {
	known := d.Unit
	to, taken := owner[known.StateIdentity]
	backend, _, _ := strings.Cut(known.StateIdentity, ":")
	suspect := unnamed[backend]
	switch {
	case known.StateIdentity != "" && taken:
		d.Fate, d.To, d.Reason = Moved, to, "the same state now belongs to "+to
	case g.HasTerraform(known.Dir):
		d.Fate, d.Reason = Orphaned, known.Dir+" still holds Terraform files, but is no longer found as this workspace"
	case known.StateIdentity == "":
		d.Fate, d.Reason = Orphaned, known.Dir+" is gone, but the repository never told where its state is, so whether another unit took it over is not known"
	case suspect != "":
		d.Fate, d.Reason = Orphaned, known.Dir+" is gone, but "+suspect+" does not tell where its state is and may have taken this one over"
	default:
		d.Fate, d.Reason = Destroy, known.Dir+" has no Terraform files any more, and no unit owns its state"
	}
}
