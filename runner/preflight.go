package runner

import (
	"context"
	"errors"
	"fmt"

	"github.com/mooring-iac/mooring/internal/charts"
	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/workspace"
)

// errRefused is wrapped by what is wrong with a commit and known before anything
// of it is applied.
var errRefused = errors.New("nothing of this commit is applied")

// preflight renders the manifest sets that a pass is about to take, as far as that
// goes without the outputs of Terraform: a fault that the files alone tell must not
// be found after the infrastructure was changed for it. The checkout is held until
// release is called, so that the run shares it.
func (p *pass) preflight(ctx context.Context, ids []string) (release func(), err error) {
	release = func() {}
	var faults []error
	root := ""
	for _, id := range ids {
		u := p.graph.Unit(id)
		if Kind(u.Kind) != KindManifests || u.Err != nil {
			continue
		}
		if root == "" {
			tree, err := p.repo.checkout(ctx, p.head)
			if err != nil {
				return release, nil // each unit that needs it will say so
			}
			root = tree.Dir
			release = func() { _ = tree.Release() } // what stays is removed when the mirror is opened next
		}
		src := filesOf(u, root, p.r.keys)
		// One that cannot be had now is no fault of the commit: the set says it when its turn comes.
		if err := fetchChart(ctx, p.r.charts, u, &src); err != nil && !errors.Is(err, charts.ErrUnavailable) {
			faults = append(faults, fmt.Errorf("manifests %s: %w", id, err))
			continue
		}
		if err := checkManifests(src, u, p.r.keys); err != nil {
			faults = append(faults, fmt.Errorf("manifests %s: %w", id, err))
		}
	}
	if len(faults) > 0 {
		return release, fmt.Errorf("%w: %w", errRefused, errors.Join(faults...))
	}
	return release, nil
}

// CheckManifests finds what is wrong with a manifest set by its files alone. What
// only the outputs of Terraform would tell is no fault. root is the directory of
// the checkout or working copy. Where keys is nil, nobody knows which keys the server
// has, and an encrypted file is no fault either. Charts from elsewhere are not fetched.
func CheckManifests(root string, u *workspace.Unit, keys *k8s.Keys) error {
	return checkManifests(filesOf(u, root, keys), u, keys)
}

func checkManifests(src k8s.Source, u *workspace.Unit, keys *k8s.Keys) error {
	inputs, err := u.Inputs(func(string) (map[string]workspace.Output, bool) { return nil, false })
	switch {
	case errors.Is(err, workspace.ErrInputsUnknown):
		// Not even the names are known: any will do.
		src.Unknown = true
		used, err := k8s.Placeholders(src)
		if err != nil {
			return withoutUnknown(err, keys == nil)
		}
		for _, p := range used {
			src.Values[p.Name] = k8s.Value{Unknown: true}
		}
	case err != nil:
		return err
	}
	for name, v := range inputs {
		src.Values[name] = k8s.Value{JSON: v.JSON, Sensitive: v.Sensitive, Unknown: v.Unknown}
	}
	_, err = k8s.Render(src)
	return withoutUnknown(err, keys == nil)
}

// withoutUnknown leaves out of joined errors those that say that a value is not
// known yet, and with noKey those that a file is encrypted.
func withoutUnknown(err error, noKey bool) error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var rest []error
		for _, e := range many.Unwrap() {
			rest = append(rest, withoutUnknown(e, noKey))
		}
		return errors.Join(rest...)
	}
	if errors.Is(err, k8s.ErrUnknownValue) || errors.Is(err, k8s.ErrNotFetched) || noKey && errors.Is(err, k8s.ErrNoKey) {
		return nil
	}
	return err
}
