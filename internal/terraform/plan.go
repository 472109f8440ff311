package terraform

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/terraform-exec/tfexec"
	tfjson "github.com/hashicorp/terraform-json"
)

// PlanOptions say what kind of plan to make. The zero value is a normal plan.
type PlanOptions struct {
	Destroy bool // plan to destroy everything
}

// Plan is a saved plan. It holds sensitive values in clear, in File and in JSON.
type Plan struct {
	File    string // 0600, below data_dir/plans; gone with the session unless kept
	Digest  string // sha256 of File, hex
	Changes bool   // Terraform's own word (-detailed-exitcode): resources or outputs differ
	JSON    *tfjson.Plan
	State   StateInfo // the state it was made against
	// Resources to add, change and destroy; a replacement counts as one to add and one to destroy, as Terraform counts.
	Add, Change, Destroy int

	session *Session
}

// Keep leaves the plan file in place when the session closes; the caller removes it.
func (p *Plan) Keep() {
	kept := p.session.plans[:0]
	for _, file := range p.session.plans {
		if file != p.File {
			kept = append(kept, file)
		}
	}
	p.session.plans = kept
}

// Plan makes a saved plan, and its JSON when there are changes. A plan that fails because .terraform does not fit runs init once and
// plans again. Init must have succeeded.
func (s *Session) Plan(ctx context.Context, out io.Writer, opts PlanOptions) (*Plan, error) {
	if !s.ready {
		return nil, fmt.Errorf("plan %s: not initialised", s.spec.Key)
	}
	file, err := s.planFile()
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w", s.spec.Key, err)
	}
	changes, err := s.runPlan(ctx, out, file, opts)
	if needsInit(err) {
		s.note("the kept .terraform did not fit any more; initialised again")
		if err := s.freshInitAgain(ctx, out); err != nil {
			return nil, err
		}
		changes, err = s.runPlan(ctx, out, file, opts)
	}
	if err != nil {
		return nil, err
	}
	plan := &Plan{File: file, Changes: changes, session: s}
	if plan.Digest, err = fileDigest(file); err != nil {
		return nil, fmt.Errorf("plan %s: %w", s.spec.Key, err)
	}
	if plan.State, err = s.planState(ctx, file); err != nil {
		return nil, err
	}
	if changes {
		if plan.JSON, err = s.showPlan(ctx, file); err != nil {
			return nil, err
		}
		plan.Add, plan.Change, plan.Destroy = count(plan.JSON)
	}
	return plan, nil
}

// freshInitAgain sets the present .terraform aside and makes a new one.
func (s *Session) freshInitAgain(ctx context.Context, out io.Writer) error {
	s.ready = false
	if err := removeAll(s.initDir()); err != nil {
		return fmt.Errorf("initialise %s again: %w", s.spec.Key, err)
	}
	if err := s.placeLockFile(); err != nil {
		return err
	}
	if err := s.freshInit(ctx, out); err != nil {
		return err
	}
	s.ready = true
	return nil
}

// planFile makes an empty file that Terraform fills: it keeps the mode of one that exists.
func (s *Session) planFile() (string, error) {
	file, err := os.CreateTemp(s.home.plans, s.name+"-*.tfplan")
	if err != nil {
		return "", err
	}
	s.plans = append(s.plans, file.Name())
	return file.Name(), file.Close()
}

func (s *Session) runPlan(ctx context.Context, out io.Writer, file string, opts PlanOptions) (changes bool, err error) {
	err = s.command(ctx, "plan", out, s.env(nil), func(ctx context.Context) error {
		changes, err = s.tf.Plan(ctx, s.planOptions(file, opts)...)
		return err
	})
	return changes, err
}

// planOptions are the arguments of plan beside those terraform-exec always gives (-input=false, -no-color, -detailed-exitcode).
func (s *Session) planOptions(file string, opts PlanOptions) []tfexec.PlanOption {
	options := []tfexec.PlanOption{
		tfexec.Out(file), tfexec.LockTimeout(s.home.opts.LockTimeout.String()), tfexec.Parallelism(s.home.opts.Parallelism),
	}
	for _, name := range s.spec.VarFiles {
		options = append(options, tfexec.VarFile(s.relative(name)))
	}
	if s.varFile != "" {
		options = append(options, tfexec.VarFile(s.varFile)) // last: it wins
	}
	if opts.Destroy {
		options = append(options, tfexec.Destroy(true))
	}
	return options
}

func (s *Session) showPlan(ctx context.Context, file string) (plan *tfjson.Plan, err error) {
	err = s.query(ctx, "show", func(ctx context.Context) error {
		plan, err = s.tf.ShowPlanFile(ctx, file, tfexec.JSONNumber(true))
		return err
	})
	return plan, err
}

func count(plan *tfjson.Plan) (add, change, destroy int) {
	for _, resource := range plan.ResourceChanges {
		if resource.Change == nil || resource.Mode == tfjson.DataResourceMode {
			continue
		}
		switch actions := resource.Change.Actions; {
		case actions.Replace():
			add++
			destroy++
		case actions.Create():
			add++
		case actions.Update():
			change++
		case actions.Delete():
			destroy++
		}
	}
	return add, change, destroy
}
