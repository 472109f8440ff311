package pack

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// recorded reads testdata/schemas.txt: a line for each type, with the attributes that were looked up in its provider's
// schema or documentation. Lines that begin with # say where.
func recorded(t *testing.T) reads {
	t.Helper()
	src, err := os.ReadFile("testdata/schemas.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := reads{}
	for i, line := range strings.Split(strings.TrimSpace(string(src)), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if known[words[0]] != nil {
			t.Errorf("testdata/schemas.txt:%d: %s is there twice", i+1, words[0])
		}
		known.add(words[0], words[1:]...)
	}
	return known
}

// TestRulesNameWhatProvidersHave holds every type and attribute that a rule names against what was looked up. Whoever
// adds one looks it up, and adds it to testdata/schemas.txt.
func TestRulesNameWhatProvidersHave(t *testing.T) {
	named, known := readsOfRules(t), recorded(t)
	for _, kind := range slices.Sorted(maps.Keys(named)) {
		if known[kind] == nil {
			t.Errorf("a rule names the type %s, which nobody has looked up", kind)
			continue
		}
		for _, a := range named.of(kind) {
			if !known[kind][a] {
				t.Errorf("a rule reads %s of %s, which nobody has looked up", a, kind)
			}
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(known)) {
		if named[kind] == nil {
			t.Errorf("testdata/schemas.txt has %s, which no rule names", kind)
			continue
		}
		for _, a := range known.of(kind) {
			if !named[kind][a] {
				t.Errorf("testdata/schemas.txt has %s of %s, which no rule reads", a, kind)
			}
		}
	}
}

// TestReadsAreFound holds what readsOfRules finds to what a person finds in the rules: were it blind, the test above
// would hold everything to be known.
func TestReadsAreFound(t *testing.T) {
	found := readsOfRules(t)
	for kind, want := range map[string]string{
		"aws_s3_bucket":                     "acl apply_server_side_encryption_by_default grant policy rule server_side_encryption_configuration sse_algorithm uri", // functions, and what they call
		"aws_s3_bucket_public_access_block": "block_public_acls block_public_policy ignore_public_acls restrict_public_buckets",                                     // a table by its name
		"aws_lambda_permission":             "principal",                                                                                                            // rc.type == "…"
		"azurerm_role_definition":           "actions data_actions permissions",                                                                                     // a loop over names
		"aws_dax_cluster":                   "enabled server_side_encryption",                                                                                       // a call in a table
		"google_compute_firewall":           "allow direction disabled ports protocol source_ranges",
		"azurerm_dns_zone":                  "", // a list of types
	} {
		if got := strings.Join(found.of(kind), " "); got != want || found[kind] == nil {
			t.Errorf("%s: read %q, want %q", kind, got, want)
		}
	}
	if len(found) < 300 {
		t.Errorf("the rules name %d types only", len(found))
	}
}
