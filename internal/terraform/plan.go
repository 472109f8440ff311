package terraform

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/mooring-iac/mooring/internal/terraform/redact"
)

// ErrPlan says that a kept plan cannot be used: it is gone, or not what it was when it was kept.
var ErrPlan = errors.New("the saved plan cannot be used")

// planError is an ErrPlan that says why.
type planError string

func (e planError) Error() string      { return "the saved plan " + string(e) }
func (planError) Is(target error) bool { return target == ErrPlan }

// PlanOptions say what kind of plan to make. The zero value is a normal plan.
type PlanOptions struct {
	Destroy    bool // plan to destroy everything
	NoLockWait bool // fail at once where somebody holds the state lock
}

// Plan is a saved plan. The file lies in the private directory of the run and is gone with the session, unless it is kept. JSON holds
// sensitive values in clear.
type Plan struct {
	Digest  string // sha256 of the saved file, hex
	Changes bool   // Terraform's own word (-detailed-exitcode): resources or outputs differ
	JSON    *tfjson.Plan
	State   StateInfo // the state it was made against
	// Resources to add, change and destroy; a replacement counts as one to add and one to destroy, as Terraform counts.
	Add, Change, Destroy int

	session *Session
	name    string
	secrets []string // sensitive values in it
}

// Secrets are the sensitive values of the plan, in clear: they are to be hidden wherever anything is said of it.
func (p *Plan) Secrets() []string { return p.secrets }

// Keep seals the plan into a file below data_dir/plans that outlives the session; the caller removes it. Only the holder of the key can
// read it.
func (p *Plan) Keep(ctx context.Context) (file string, err error) {
	s := p.session
	defer func() {
		if err != nil {
			err = fmt.Errorf("keep the plan of %s: %w", s.spec.Key, err)
		}
	}()
	if _, err := s.query(ctx, request{Verb: verbKeep, Name: p.name}); err != nil {
		return "", err
	}
	sealed := filepath.Join(s.run, p.name+planSuffix)
	file = filepath.Join(s.home.plans, s.name+"-"+p.Digest[:16]+planSuffix)
	if err := os.Rename(sealed, file); err != nil {
		return "", err
	}
	return file, syncPath(s.home.plans)
}

// LoadPlan makes a kept plan ready to be applied. digest is that of the plan that may be applied. Errors: ErrPlan where the file is gone,
// was changed or is another plan's.
func (s *Session) LoadPlan(ctx context.Context, file, digest string) (*Plan, error) {
	data, err := openSealed(file, s.home.identity)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, planError("is gone")
	case errors.Is(err, ErrSealed):
		return nil, planError("was changed since it was kept, or the key is another one")
	case err != nil:
		return nil, fmt.Errorf("read the saved plan: %w", err)
	}
	sum := sha256.Sum256(data)
	if hex.EncodeToString(sum[:]) != digest {
		return nil, planError("is not the one that was approved")
	}
	plan := &Plan{Digest: digest, Changes: true, session: s, name: s.planName()}
	if _, err := s.query(ctx, request{Verb: verbLoad, Name: plan.name, Data: data}); err != nil {
		return nil, err
	}
	return plan, nil
}

func (s *Session) planName() string {
	s.plans++
	return fmt.Sprintf("plan-%d", s.plans)
}

// Plan makes a saved plan, and its JSON when there are changes. A plan that fails because .terraform does not fit runs init once and
// plans again. Init must have succeeded. Errors: *StateLockError where somebody holds the state lock, *CommandError.
func (s *Session) Plan(ctx context.Context, out io.Writer, opts PlanOptions) (*Plan, error) {
	if !s.ready {
		return nil, fmt.Errorf("plan %s: not initialised", s.spec.Key)
	}
	plan, err := s.runPlan(ctx, out, opts)
	if needsInit(err) {
		s.note("the kept .terraform did not fit any more; initialised again")
		if err := s.freshInitAgain(ctx, out); err != nil {
			return nil, err
		}
		plan, err = s.runPlan(ctx, out, opts)
	}
	if err != nil {
		return nil, err
	}
	if !plan.Changes {
		return plan, nil
	}
	if plan.JSON, err = s.showPlan(ctx, plan.name); err != nil {
		return nil, err
	}
	plan.Add, plan.Change, plan.Destroy = count(plan.JSON)
	plan.secrets = redact.FromPlan(plan.JSON)
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

func (s *Session) runPlan(ctx context.Context, out io.Writer, opts PlanOptions) (*Plan, error) {
	plan := &Plan{session: s, name: s.planName()}
	req := request{Verb: "plan", Name: plan.name, Destroy: opts.Destroy}
	if opts.NoLockWait {
		req.LockTimeout = 1 // as good as none; 0 is the default
	}
	for _, name := range s.spec.VarFiles {
		req.VarFiles = append(req.VarFiles, s.relative(name))
	}
	if s.varFile != "" {
		req.VarFiles = append(req.VarFiles, s.varFile) // last: it wins
	}
	rep, err := s.command(ctx, out, req)
	if err != nil {
		return nil, err
	}
	plan.Changes, plan.Digest = rep.Changes, rep.Digest
	if rep.State != nil {
		plan.State = *rep.State
	}
	return plan, nil
}

func (s *Session) showPlan(ctx context.Context, name string) (*tfjson.Plan, error) {
	var data bytes.Buffer
	if _, err := s.ask(ctx, nil, &data, request{Verb: "show", Name: name}); err != nil {
		return nil, err
	}
	plan := &tfjson.Plan{}
	plan.UseJSONNumber(true)
	if err := plan.UnmarshalJSON(data.Bytes()); err != nil {
		return nil, fmt.Errorf("read the plan of %s: %w", s.spec.Key, err)
	}
	return plan, nil
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
