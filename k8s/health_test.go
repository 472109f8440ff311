package k8s

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/k8s/rules"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestHealthOf reads the cases from testdata/health: above each object stands "# what = Health: how the message begins".
func TestHealthOf(t *testing.T) {
	own := rules.New(compileRule(t, rules.Text{Kind: "example.com/Widget", Healthy: "object.status.phase == 'Ready'",
		Failed: "object.status.phase == 'Broken'", Message: "object.status.reason"}))
	files, err := filepath.Glob("testdata/health/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		for _, text := range documents(t, file) {
			head, _, _ := strings.Cut(text, "\n")
			name, want, _ := strings.Cut(strings.TrimPrefix(head, "# "), " = ")
			health, message, _ := strings.Cut(want, ": ")
			t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml")+"/"+name, func(t *testing.T) {
				got, said := healthOf(objectOf(t, text), own)
				if got != Health(health) || !strings.HasPrefix(said, message) {
					t.Errorf("%s: %s\nwant %s", got, said, want)
				}
				if got == HealthInProgress && said == "" {
					t.Error("in progress, and nothing says why")
				}
			})
		}
	}
}

func documents(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n---\n")
}

func objectOf(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	docs, faults := parse("x.yaml", []byte(text))
	if len(faults) > 0 || len(docs) != 1 {
		t.Fatalf("%d documents: %v", len(docs), faults)
	}
	content, _ := docs[0].converter().convert(docs[0].node).(map[string]any)
	return &unstructured.Unstructured{Object: content}
}

func compileRule(t *testing.T, text rules.Text) *rules.Rule {
	t.Helper()
	c, err := rules.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
