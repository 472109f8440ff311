package runner

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/policies/preflight"
	"github.com/mooring-iac/mooring/workspace"
)

// usesBetween reads what the working copy uses, and what its base does. scanner reads the base as it read the working copy.
func (p *previewer) usesBetween(ctx context.Context, scanner *workspace.Scanner) usesBetween {
	head := func() (workspace.Tree, error) { return p.opts.Tree, nil }
	base := func() (workspace.Tree, error) {
		if p.opts.Base == nil {
			return nothing{}, nil
		}
		return p.opts.Base, nil
	}
	before := sync.OnceValues(func() (*workspace.Graph, error) {
		if p.opts.Base == nil {
			return &workspace.Graph{}, nil
		}
		g, err := scanner.Scan(ctx, p.opts.Base)
		if err != nil {
			return nil, fmt.Errorf("read what is used already: %w", err)
		}
		return g, nil
	})
	return newUsesBetween(head, base, before)
}

// nothing is a tree without files.
type nothing struct{ workspace.Tree }

func (nothing) Walk(func(path string, mode fs.FileMode, id string) error) error { return nil }

// adds judges, from the files alone, what a workspace adds to what the base uses already. It is nil where there is
// nothing to say.
func (p *previewer) adds(u *workspace.Unit) (*policies.Verdict, error) {
	rules := p.opts.Own.Preflight
	if rules.Mode == preflight.Off {
		return nil, nil
	}
	uses, err := p.uses.head.of(u)
	if err != nil {
		return nil, err
	}
	if !p.opts.AsPerson { // their own overrides are no part of a pull request
		overrides, err := cliOverrides(p.opts.CLIConfig)
		if err != nil {
			return nil, err
		}
		uses = append(uses, overrides...)
	}
	base, err := p.uses.base.of(u.ID)
	if err != nil {
		return nil, err
	}
	v := &policies.Verdict{Findings: preflight.Judge(rules, usedBy(uses), usedBy(base))}
	if len(v.Findings) == 0 {
		return nil, nil
	}
	return v, nil
}

// mayRun tells whether what was found lets Terraform start. Who plans as themselves could type terraform plan, and is
// told before they push; with a server's environment it is as in a pull request.
func (p *previewer) mayRun(found *policies.Verdict) (Status, string) {
	status, why := holds(found)
	if p.opts.AsPerson || status == Held && p.opts.LetRun {
		return "", ""
	}
	return status, why
}

// withAdds is what the rules say of a plan, and what its files add.
func withAdds(said, found *policies.Verdict) *policies.Verdict {
	switch {
	case found == nil:
		return said
	case said == nil:
		return found
	}
	both := *said
	both.Findings = slices.Concat(said.Findings, found.Findings)
	policies.Sort(both.Findings)
	return &both
}
