package runner

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/mooring-iac/mooring/internal/charts"
	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/workspace"
)

// ChartOptions say from where charts may come that are not in a repository.
type ChartOptions struct {
	Allow  charts.Allowlist        // the zero value allows nothing
	Logins map[string]charts.Login // by host
}

func newCharts(o Options) *charts.Store {
	return charts.NewStore(filepath.Join(o.DataDir, "charts"), o.Charts.Allow, o.Charts.Logins, "mooring/"+o.Version)
}

// ChartFaults finds what is wrong with a chart block, so that a scan says it with its place in the file. Where allow is
// nil, nobody knows what the server allows, and any well-written source passes.
func ChartFaults(allow charts.Allowlist) func(workspace.RemoteChart) []workspace.ChartFault {
	return func(c workspace.RemoteChart) []workspace.ChartFault {
		check := charts.Ref.Check
		if allow != nil {
			check = allow.Check
		}
		var fault *charts.Fault
		if errors.As(check(chartRef(&c)), &fault) {
			return []workspace.ChartFault{{Part: fault.Part, Err: fault.Err}}
		}
		return nil
	}
}

func chartRef(c *workspace.RemoteChart) charts.Ref {
	return charts.Ref{Source: c.Source, Version: c.Version, Digest: c.Digest}
}

// fetchChart puts the chart of a set at hand, where it is one from elsewhere. The error has the place of the chart block.
func fetchChart(ctx context.Context, store *charts.Store, u *workspace.Unit, src *k8s.Source) error {
	if u.Chart.Remote == nil {
		return nil
	}
	file, err := store.Get(ctx, chartRef(u.Chart.Remote))
	var fault *charts.Fault
	switch {
	case errors.As(err, &fault):
		return &k8s.SourceError{File: workspace.ConfigFile, Line: u.Chart.Remote.Line, Message: fault.Err.Error(), Err: err}
	case err != nil:
		return &k8s.SourceError{File: workspace.ConfigFile, Line: u.Chart.Remote.Line, Message: err.Error(), Err: err}
	}
	src.Chart.Archive = file
	return nil
}

// render renders a set, its chart fetched first.
func (r *Runner) render(ctx context.Context, u *workspace.Unit, src k8s.Source) ([]k8s.Object, error) {
	if err := fetchChart(ctx, r.charts, u, &src); err != nil {
		return nil, err
	}
	return k8s.Render(src)
}

// remoteOf adds to a chart what a chart block says.
func remoteOf(c k8s.Chart, r *workspace.RemoteChart) k8s.Chart {
	if r != nil {
		c.Origin, c.Digest = strings.TrimSpace(r.Source+" "+r.Version), r.Digest
	}
	return c
}

// charts removes the archives that no set has used for long.
func (c *collection) charts() (terraform.Freed, error) {
	removed, bytes, err := c.r.charts.Collect(c.before, c.dryRun)
	return terraform.Freed{Removed: removed, Bytes: bytes}, err
}
