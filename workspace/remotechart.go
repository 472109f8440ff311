package workspace

import (
	"fmt"
	"path"

	"github.com/hashicorp/hcl/v2"
)

// RemoteChart is what a chart block says: a packed chart that is not in the repository.
type RemoteChart struct {
	Source, Version, Digest string
	Line                    int // of the block in mooring.hcl
}

// ChartFault is what is wrong with one part of a chart block: source, version or digest.
type ChartFault struct {
	Part string
	Err  error
}

// chartBlock is a chart block, not yet evaluated.
type chartBlock struct {
	attrs hcl.Attributes
	rng   hcl.Range
}

func (b *block) takeChart(blocks hcl.Blocks) (diags hcl.Diagnostics) {
	for _, hb := range blocks {
		if b.chart != nil {
			diags = append(diags, fault(hb.DefRange, "Duplicate chart block", fmt.Sprintf("There is one already in line %d.", b.chart.rng.Start.Line)))
			continue
		}
		content, more := hb.Body.Content(chartSchema)
		diags = append(diags, more...)
		b.chart = &chartBlock{content.Attributes, hb.DefRange}
	}
	return diags
}

// remoteChart takes the chart block of a manifests block.
func (l *layout) remoteChart(b *block, u *Unit, match []string) {
	if b.chart == nil {
		return
	}
	r := &RemoteChart{Line: b.chart.rng.Start.Line}
	at := map[string]hcl.Range{"source": b.chart.rng, "version": b.chart.rng, "digest": b.chart.rng}
	bad := false
	for _, part := range []struct {
		name     string
		into     *string
		required bool
	}{{"source", &r.Source, true}, {"version", &r.Version, false}, {"digest", &r.Digest, true}} {
		attr := b.chart.attrs[part.name]
		if attr == nil {
			if part.required {
				bad = true
				l.add(fault(b.chart.rng, "Missing "+part.name, fmt.Sprintf("A chart block says its %s. A chart from elsewhere is taken only where it is pinned: source = \"…\", version = \"…\", digest = \"sha256:…\".", part.name)))
			}
			continue
		}
		var diags hcl.Diagnostics
		*part.into, diags = stringValue(attr, match)
		l.add(diags...)
		bad = bad || diags.HasErrors()
		at[part.name] = attr.Expr.Range()
	}
	if check := l.scan.opts.ChartFaults; check != nil && !bad {
		for _, f := range check(*r) {
			l.add(fault(at[f.Part], "Bad "+f.Part, sentence(f.Err)))
		}
	}
	for _, name := range []string{chartFile, "kustomization.yaml", "kustomization.yml", "Kustomization"} {
		if _, _, isDir, exists := l.scan.ix.lookup(path.Join(u.Path, name)); exists && !isDir {
			l.add(fault(b.chart.rng, "Two sources", fmt.Sprintf("%s holds a %s, and the chart block names a chart from elsewhere: keep one of the two. Beside a chart block, path holds values files.", u.Path, name)))
		}
	}
	u.Chart.Remote = r
}
