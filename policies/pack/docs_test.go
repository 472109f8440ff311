package pack

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/policy-pack.md again")

const page = "../../docs/policy-pack.md"

// TestPageSaysWhatTheRulesSay compares the page about the pack with the annotations of the rules.
func TestPageSaysWhatTheRulesSay(t *testing.T) {
	want := document()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("docs/policy-pack.md is stale; write it again with: go test ./policies/pack -run Page -update\n%s", diff)
	}
}

func document() string {
	var b strings.Builder
	b.WriteString(`# The policy pack

<!-- Written by ` + "`go test ./policies/pack -run Page -update`" + ` from the annotations of the rules; a test compares them. -->

The rules that ship with Mooring. They are Rego, in [policies/pack](../policies/pack), and are tuned in ` + "`server.hcl`" + `:

` + "```hcl" + `
pack {
  rule "terraform.stateful" {
    effect   = "ask" # or deny, warn, off
    settings = { approvers = "team:dba", except = ["aws_db_instance.scratch*"] }
  }
}
` + "```" + `

*deny*: it does not happen, whoever says yes. *ask*: it waits for people. *warn*: it is said. *off*: the rule says nothing.
A setting that a rule does not have, or of another type, denies: a slip of the pen loosens nothing.

Every rule has these settings, too:

`)
	table(&b, Common())
	b.WriteString(`
## Values that a plan does not tell

Some values are known only after the apply, and sensitive ones are masked before a rule sees them. No rule takes them for safe
in silence: what one leaves aside its description says. Where a rule looks at values its setting ` + "`unknown`" + ` has the effect: usually the rule's own, since whoever writes a change can make
any value unknown. Rules that look at actions alone take an action that they do not know for the worst.

Terraform's plan does not show blocks that ` + "`dynamic`" + ` writes out of values that are not known. Where that cannot be told from a block
that is not there, the setting ` + "`unset`" + ` has the effect.

What a plan leaves as it is (` + "`no-op`" + `) is not looked at. Manifests are looked at as they will be, changed or not; ` + "`existing = false`" + `
leaves out what the object in the cluster has already.

The rules know resources by their types in the providers ` + "`aws`, `google` (and `google-beta`) and `azurerm`" + `. Others that reach the same
clouds, such as ` + "`awscc` and `azapi`" + `, are not looked into: allow no such provider, or write rules of your own.

`)
	rules := Rules()
	b.WriteString("| rule | finds | usual effect |\n|---|---|---|\n")
	for _, r := range rules {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", r.ID, anchor(r.ID), r.Title, r.Effect)
	}
	for _, r := range rules {
		fmt.Fprintf(&b, "\n## %s\n\n**%s.** %s\n\nWhat to do: %s\n\nUsual effect: *%s*.", r.ID, r.Title, r.Description, r.Remedy, r.Effect)
		if len(r.Settings) > 0 {
			b.WriteString(" Settings:\n\n")
			table(&b, r.Settings)
		} else {
			b.WriteString("\n")
		}
		b.WriteString("\n```hcl\n" + example(r) + "```\n")
	}
	return b.String()
}

// anchor is the link target that forges make of a heading.
func anchor(id string) string { return strings.ReplaceAll(id, ".", "") }

func table(b *strings.Builder, settings []Setting) {
	b.WriteString("| setting | default | |\n|---|---|---|\n")
	for _, s := range settings {
		fmt.Fprintf(b, "| `%s` | `%s` | %s |\n", s.Name, literal(s.Default), s.Help)
	}
}

// example tunes a rule in server.hcl, with the first of its settings.
func example(r Rule) string {
	effect := "deny"
	if r.Effect == "deny" {
		effect = "ask"
	}
	var set []string
	for _, s := range r.Settings {
		v := literal(s.Default)
		switch {
		case s.Name == "unknown", s.Name == "unset":
			v = `"warn"`
		case s.Name == "existing" && r.Kind == Kubernetes && v == "true":
			v = "false"
		}
		set = append(set, fmt.Sprintf("      %s = %s", s.Name, v))
	}
	settings := "{}"
	if len(set) > 0 {
		settings = "{\n" + strings.Join(set, "\n") + "\n    }"
	}
	return fmt.Sprintf("pack {\n  rule %q {\n    effect   = %q\n    settings = %s\n  }\n}\n", r.ID, effect, settings)
}

// literal spells a value as HCL does, which for these is as JSON does.
func literal(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return strings.ReplaceAll(string(text), `","`, `", "`)
}
