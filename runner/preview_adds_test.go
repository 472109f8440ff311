package runner

import (
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/policies/preflight"
)

const startsAProgram = "resource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" {\n    command = \"id\"\n  }\n}\noutput \"out\" {\n  value = \"x\"\n}\n"

func TestAPreviewHoldsWhatIsNew(t *testing.T) {
	files := map[string]string{
		"mooring.hcl":  "workspace \"app\" {\n  dir = \"app\"\n}\nworkspace \"late\" {\n  dir = \"late\"\n  variables = {\n    in = workspace.app.outputs.out\n  }\n}\n",
		"app/main.tf":  startsAProgram,
		"late/main.tf": "variable \"in\" {}\n",
	}
	f := newFixture(t, files)
	newTo := func(set func(*PreviewOptions)) *Preview {
		return f.previewWith(files, func(o *PreviewOptions) {
			o.Base = nil // the zero value: nothing was there before
			if set != nil {
				set(o)
			}
		})
	}
	tests := []struct {
		name string
		set  func(*PreviewOptions)
		want string // what becomes of the units, as summary says it
		rule string // what is found; "" is nothing
	}{
		{"with a server's environment", nil, "app held, late deferred", "ask"},
		{"the person has looked at it", func(o *PreviewOptions) { o.LetRun = true }, "app planned, late deferred", "ask"},
		{"as the person", func(o *PreviewOptions) { o.AsPerson = true }, "app planned, late deferred", "ask"},
		{"denied, and looked at", func(o *PreviewOptions) { o.LetRun, o.Own.Preflight.Mode = true, preflight.Denies }, "app failed, late skipped", "deny"},
		{"denied, as the person", func(o *PreviewOptions) { o.AsPerson, o.Own.Preflight.Mode = true, preflight.Denies }, "app planned, late deferred", "deny"},
		{"allowed by a list", func(o *PreviewOptions) { o.Own.Preflight.Provisioners = []string{"local-exec"} }, "app planned, late deferred", ""},
		{"switched off", func(o *PreviewOptions) { o.Own.Preflight.Mode = preflight.Off }, "app planned, late deferred", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f.t = t
			p := newTo(tt.set)
			if got := summary([]Run{p.Run}); got != tt.want {
				t.Errorf("%s, want %s\n%s", got, tt.want, detail([]Run{p.Run}))
			}
			u := p.Run.Unit("app")
			if tt.rule == "" {
				if u.Policy != nil {
					t.Errorf("policies say %+v", u.Policy)
				}
				return
			}
			if u.Policy == nil || len(u.Policy.Verdict.Findings) != 1 {
				t.Fatalf("policies say %+v", u.Policy)
			}
			found := u.Policy.Verdict.Findings[0]
			if found.Rule != "preflight.provisioner" || string(found.Effect) != tt.rule || found.Place() != "app/main.tf:2" {
				t.Errorf("found %+v", found)
			}
			ran := p.Logs["app"] != ""
			if ran != (u.Status == Planned) {
				t.Errorf("%s, and Terraform ran: %t", u.Status, ran)
			}
			if u.Status == Held && !strings.HasPrefix(u.Reason, "not planned, so that nothing of it runs before somebody has looked at it: ") {
				t.Errorf("reason %q", u.Reason)
			}
		})
	}
}

func TestWhatRulesSayAndWhatIsNewAreOneVerdict(t *testing.T) {
	said := &policies.Verdict{Digest: "d", Rules: 3, Findings: []policies.Finding{{Effect: policies.Warn, Rule: "main.w"}}}
	found := &policies.Verdict{Findings: []policies.Finding{{Effect: policies.Deny, Rule: "preflight.unread"}}}
	both := withAdds(said, found)
	if both.Digest != "d" || both.Rules != 3 || len(both.Findings) != 2 || both.Findings[0].Rule != "preflight.unread" {
		t.Errorf("%+v", both)
	}
	if len(said.Findings) != 1 {
		t.Error("what the rules said was changed")
	}
	if withAdds(nil, found) != found || withAdds(said, nil) != said || withAdds(nil, nil) != nil {
		t.Error("one of two is not what it was")
	}
}
