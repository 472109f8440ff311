package runner

import (
	"context"

	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/workspace"
)

// previewRules are those that a pull request with the working copy's files would be judged
// by, but for the repository's own: those are taken as they lie, so that who writes one
// sees what it says.
func previewRules(ctx context.Context, opts *PreviewOptions) (judge, error) {
	g := &gathering{opts: &opts.Options, repository: opts.Repository, own: opts.Own}
	defer g.end()
	if err := g.server(ctx); err != nil {
		return judge{broken: err}, nil
	}
	has, err := hasRules(opts.Tree, g.own.dir())
	if err != nil {
		return judge{}, err
	}
	root := ""
	if has {
		root = opts.Dir
	}
	if err := g.repositorys(root); err != nil {
		return judge{broken: err}, nil
	}
	return g.load(ctx), nil
}

// facts are what rules may know of a working copy.
func (p *previewer) facts(u *workspace.Unit) policies.Facts {
	f := policies.Facts{
		Repository: p.opts.Repository, Unit: u.ID, Kind: string(u.Kind), Dir: u.Dir, Workspace: u.Workspace, Cluster: u.Cluster,
		Trigger: string(Manual), Changed: []string{}, Approvals: []policies.Approval{},
	}
	if Kind(u.Kind) == KindManifests {
		f.Dir = u.Path
	}
	return f
}
