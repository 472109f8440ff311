package runner

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/mooring-iac/mooring/k8s"
)

// contents stands for everything that the run says would happen.
func (x *reviewRun) contents(all map[string]*reviewed) string {
	var parts [][]byte
	for _, u := range x.run.Units {
		content, prunes, rules := "", []byte(nil), ""
		if v := all[u.ID]; v != nil {
			content = v.Content
			if v.Verdict != nil {
				rules = v.Verdict.Digest // a yes by other rules is none
			}
			prunes, _ = json.Marshal(v.Prunes) // strings: they always marshal
		}
		parts = append(parts, []byte(u.ID), []byte(u.Status), []byte(content), prunes, []byte(rules))
	}
	return x.r.contentOf(parts...)
}

// objectsContent stands for rendered objects.
func (r *Runner) objectsContent(objects []k8s.Object) (string, error) {
	var parts [][]byte
	for _, o := range objects {
		data, err := json.Marshal(o.Object)
		if err != nil {
			return "", fmt.Errorf("digest of %s: %w", o.Ref(), err)
		}
		parts = append(parts, data)
	}
	return r.contentOf(parts...), nil
}

// planContent stands for everything that a plan would change, sensitive values
// included: two plans with the same content do the same.
func (r *Runner) planContent(plan *tfjson.Plan) string {
	type change struct {
		Address, Previous, Deposed string
		Mode                       tfjson.ResourceMode
		Change                     *tfjson.Change
	}
	var all []change
	outputs := map[string]*tfjson.Change{}
	if plan != nil {
		for _, rc := range plan.ResourceChanges {
			if rc.Change == nil || rc.Change.Actions.NoOp() && rc.Change.Importing == nil && rc.PreviousAddress == "" || rc.Mode == tfjson.DataResourceMode && rc.Change.Actions.Read() {
				continue
			}
			all = append(all, change{rc.Address, rc.PreviousAddress, rc.DeposedKey, rc.Mode, rc.Change})
		}
		for name, c := range plan.OutputChanges {
			if !c.Actions.NoOp() {
				outputs[name] = c
			}
		}
	}
	slices.SortFunc(all, func(a, b change) int {
		return slices.Compare([]string{a.Address, a.Deposed}, []string{b.Address, b.Deposed})
	})
	var actions []*tfjson.ActionInvocation
	var steps map[string][]*tfjson.ConfigProvisioner
	if plan != nil {
		actions, steps = plan.ActionInvocations, provisioners(plan)
	}
	data, err := json.Marshal(struct {
		Resources    []change
		Outputs      map[string]*tfjson.Change
		Actions      []*tfjson.ActionInvocation             `json:",omitempty"`
		Provisioners map[string][]*tfjson.ConfigProvisioner `json:",omitempty"`
	}{all, outputs, actions, steps})
	if err != nil { // it came out of JSON
		return ""
	}
	return r.contentOf(data)
}

// provisioners are the commands that a plan's resources would start, which no change of a
// value tells of.
func provisioners(plan *tfjson.Plan) map[string][]*tfjson.ConfigProvisioner {
	if plan.Config == nil {
		return nil
	}
	all := map[string][]*tfjson.ConfigProvisioner{}
	var walk func(path string, m *tfjson.ConfigModule)
	walk = func(path string, m *tfjson.ConfigModule) {
		if m == nil {
			return
		}
		for _, r := range m.Resources {
			if len(r.Provisioners) > 0 {
				all[path+r.Address] = r.Provisioners
			}
		}
		for name, call := range m.ModuleCalls {
			walk(path+name+".", call.Module)
		}
	}
	walk("", plan.Config.RootModule)
	return all
}

// contentOf is a digest that only this installation can make: what it is of may hold
// secrets.
func (r *Runner) contentOf(parts ...[]byte) string {
	mac := hmac.New(sha256.New, r.seal.derive("contents of plans"))
	for _, part := range parts {
		fmt.Fprintf(mac, "%d:", len(part))
		mac.Write(part)
	}
	return hex.EncodeToString(mac.Sum(nil))
}
