package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/policies/pack"
)

func (a *app) policyRulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "List the rules that ship with Mooring",
		Long: `Lists the rules of the pack: what each is called in a rule block of server.hcl, what
it does where nothing else is set, and what it is about. JSON has their settings, too.`,
		Example: `  mooring policy rules
  mooring policy rules -o json`,
		Args: arguments(0, 0, "[flags]"),
		RunE: func(*cobra.Command, []string) error {
			list := report.RuleList{Rules: []report.Rule{}}
			for _, r := range pack.Rules() {
				list.Rules = append(list.Rules, ruleOf(r))
			}
			return a.print(list, func(w io.Writer, s report.Style) error { return report.RuleTable(w, list.Rules, s) })
		},
	}
	return a.withOutput(cmd)
}

func ruleOf(r pack.Rule) report.Rule {
	rule := report.Rule{
		ID: r.ID, Kind: string(r.Kind), Effect: string(r.Effect), Title: r.Title, Description: r.Description, Remedy: r.Remedy, Settings: []report.Setting{},
	}
	for _, s := range append(r.Settings, pack.Common()...) {
		rule.Settings = append(rule.Settings, report.Setting{Name: s.Name, Default: s.Default, Help: s.Help})
	}
	return rule
}
