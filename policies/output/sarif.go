package output

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/policies"
)

// The parts of SARIF 2.1.0 that are written.
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID   string     `json:"id"`
		Help *sarifText `json:"help,omitempty"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
		Suppressions []sarifSuppressed `json:"suppressions,omitempty"`
		Properties   map[string]any    `json:"properties"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"name,omitempty"`
		Full string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
	sarifSuppressed struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
)

// levels say how SARIF calls an effect. What asks stops the run until somebody said yes, so it is more than a note.
var levels = map[policies.Effect]string{policies.Deny: "error", policies.Ask: "warning", policies.Warn: "note"}

// SARIF writes results as a SARIF log of one run. What an exception of a policy let pass is there as suppressed.
func SARIF(w io.Writer, version string, all []Result) error {
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "Mooring", Version: version, Rules: rulesOf(all)}},
		ColumnKind: "unicodeCodePoints", Results: []sarifResult{},
	}
	index := map[string]int{}
	for i, r := range run.Tool.Driver.Rules {
		index[r.ID] = i
	}
	for _, r := range all {
		for _, f := range r.Verdict.Findings {
			run.Results = append(run.Results, resultOf(r.Unit, f, index))
		}
		for _, f := range r.Verdict.Excepted {
			one := resultOf(r.Unit, f, index)
			one.Suppressions = []sarifSuppressed{{"external", "an exception of the policy lets it pass"}}
			run.Results = append(run.Results, one)
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0", Runs: []sarifRun{run},
	})
}

// rulesOf are the rules that said something, by name.
func rulesOf(all []Result) []sarifRule {
	rules := []sarifRule{}
	remedies := map[string]string{}
	for _, r := range all {
		for _, f := range slices.Concat(r.Verdict.Findings, r.Verdict.Excepted) {
			if _, there := remedies[f.Rule]; !there {
				rules = append(rules, sarifRule{ID: f.Rule})
				remedies[f.Rule] = f.Remedy
			}
		}
	}
	slices.SortFunc(rules, func(a, b sarifRule) int { return strings.Compare(a.ID, b.ID) })
	for i, r := range rules {
		if remedy := remedies[r.ID]; remedy != "" {
			rules[i].Help = &sarifText{remedy}
		}
	}
	return rules
}

func resultOf(unit string, f policies.Finding, index map[string]int) sarifResult {
	level, known := levels[f.Effect]
	if !known {
		level = "error"
	}
	r := sarifResult{
		RuleID: f.Rule, RuleIndex: index[f.Rule], Level: level, Message: sarifText{cmp.Or(f.Message, f.Rule)},
		Fingerprints: map[string]string{"mooring/v1": fingerprint(unit, f)},
		Properties:   map[string]any{"unit": unit, "effect": f.Effect},
	}
	if len(f.Needs) > 0 {
		r.Properties["needs"] = f.Needs
	}
	if f.Policy != "" {
		r.Properties["policy"] = f.Policy
	}
	if len(f.Details) > 0 {
		r.Properties["details"] = f.Details
	}
	place := sarifLocation{Logical: []sarifLogical{{Name: unit, Full: unit, Kind: "unit"}}}
	if f.Subject != "" {
		place.Logical = []sarifLogical{{Name: f.Subject, Full: unit + "/" + f.Subject, Kind: "resource"}}
	}
	if f.File != "" {
		place.Physical = &sarifPhysical{Artifact: sarifArtifact{uri(f.File)}}
		if f.Line > 0 {
			place.Physical.Region = &sarifRegion{f.Line}
		}
	}
	r.Locations = []sarifLocation{place}
	return r
}

// uri is a file as a relative reference.
func uri(file string) string {
	return (&url.URL{Path: strings.TrimLeft(path.Clean(strings.ReplaceAll(file, `\`, "/")), "/")}).String()
}

// fingerprint is the same for the same word of the same rule about the same thing, wherever its line moves to.
func fingerprint(unit string, f policies.Finding) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{unit, f.Rule, f.Subject, f.File, f.Message}))
	return hex.EncodeToString(sum[:16])
}
