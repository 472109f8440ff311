package k8s

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The files in testdata/sops were made by sops 3.13.3 for key.txt; config-map.yaml and mixed.yaml hold a
// Secret and a ConfigMap, shamir.yaml wants both keys.

// sealedCheckout is a checkout with files of testdata/sops in it: repository path to name there.
func sealedCheckout(t *testing.T, archive, path string, files map[string]string) Source {
	t.Helper()
	src := checkout(t, archive, path)
	for to, from := range files {
		data, err := os.ReadFile("testdata/sops/" + from)
		if err != nil {
			t.Fatal(err)
		}
		p := filepath.Join(src.Root, to)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if src.Keys, err = ReadKeys(KeyConfig{AgeKeyFile: "testdata/sops/key.txt"}); err != nil {
		t.Fatal(err)
	}
	return src
}

func TestSops(t *testing.T) {
	secret := map[string]any{"password": "hunter2-${not_a_value}", "yes": "yes", "number": "12", "empty": "", "pem": "-----BEGIN KEY-----\nabc\n-----END KEY-----\n"}
	for _, tt := range []struct {
		file  string
		field string
		want  map[string]any
	}{
		{"regex.yaml", "stringData", secret},
		{"whole.yaml", "stringData", secret},
		{"mac.yaml", "stringData", secret},
		{"mixed.yaml", "stringData", secret},
		{"secret.json", "data", map[string]any{"p": "aHVudGVyMg=="}},
		{"whole.json", "data", map[string]any{"p": "aHVudGVyMg=="}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			objects, err := Render(sealedCheckout(t, "", "k8s", map[string]string{"k8s/" + tt.file: tt.file}))
			if err != nil {
				t.Fatal(err)
			}
			o := objects[0]
			if diff := cmp.Diff(tt.want, o.Object[tt.field]); diff != "" {
				t.Error(diff)
			}
			if o.Object[sopsKey] != nil || !o.sensitive || !o.isSecret() || o.File != "k8s/"+tt.file {
				t.Errorf("%s: sensitive %v, %v", o.place(), o.sensitive, o.Object)
			}
			if o.lineOf([]string{tt.field}) <= o.Line {
				t.Errorf("the lines of the file are lost: %d", o.lineOf([]string{tt.field}))
			}
		})
	}
}

func TestSopsFaults(t *testing.T) {
	edited := func(t *testing.T, name, old, new string) Source {
		src := sealedCheckout(t, "", "k8s", map[string]string{"k8s/a.yaml": name})
		p := filepath.Join(src.Root, "k8s/a.yaml")
		data, err := os.ReadFile(p)
		if err != nil || !strings.Contains(string(data), old) {
			t.Fatalf("%s does not hold %q (%v)", name, old, err)
		}
		if err := os.WriteFile(p, []byte(strings.Replace(string(data), old, new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		return src
	}
	noKeys := edited(t, "regex.yaml", "db", "db")
	noKeys.Keys = nil
	other := edited(t, "regex.yaml", "db", "db")
	other.Keys, _ = ReadKeys(KeyConfig{AgeKeyFile: "testdata/sops/other-key.txt"})
	for _, tt := range []struct {
		name string
		src  Source
		want string
		key  bool // wraps ErrNoKey
	}{
		{"no key", noKeys, `k8s/a.yaml:14: encrypted with SOPS for age1wq3aqwa3s8umsu093uqqn0ejs2kas6zd8qrgfmk7v4s6pn5crq4qz6ew69: no key is configured`, true},
		{"another key", other, "none of these is configured", true},
		{"several groups", edited(t, "shamir.yaml", "db", "db"), "several groups of keys at once", true},
		{"a plain value changed", edited(t, "regex.yaml", "namespace: prod", "namespace: test"), "k8s/a.yaml:14: encrypted with SOPS, and changed since: its MAC does not fit", false},
		{"a value taken out", edited(t, "regex.yaml", `empty: ""`, `empty: null`), "", false},
		{"an encrypted value moved", edited(t, "regex.yaml", "password:", "passphrase:"), "the value at stringData.passphrase does not open", false},
		{"an encrypted value replaced", edited(t, "regex.yaml", "password: ENC[AES256_GCM,data:", "password: x # "), "the value at stringData.password is not encrypted, and should be", false},
		{"a ConfigMap encrypted, too", edited(t, "config-map.yaml", "db", "db"), "this value of a ConfigMap would be shown: only a Secret may hold it", false},
		{"metadata broken", edited(t, "regex.yaml", "lastmodified: \"2", "lastmodified: \"x2"), "has no lastmodified", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			objects, err := Render(tt.src)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(objects) > 0 {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
			if errors.Is(err, ErrNoKey) != tt.key {
				t.Errorf("wraps ErrNoKey: %v", !tt.key)
			}
			if err != nil && (strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "db.example.com")) {
				t.Errorf("more than one error, or one that shows a value: %v", err)
			}
		})
	}
}

func TestSopsInKustomization(t *testing.T) {
	files := map[string]string{"k8s/secret.yaml": "regex.yaml", "k8s/token.key": "token.key", "k8s/values.yaml": "values.yaml", "k8s/p.env": "secret.env"}
	build := func(t *testing.T, kustomization string) ([]Object, error) {
		return Render(sealedCheckout(t, "-- k8s/kustomization.yaml --\n"+kustomization, "k8s", files))
	}
	objects, err := build(t, "namePrefix: p-\nresources: [secret.yaml]\nsecretGenerator:\n- name: t\n  files: [token.key, values.yaml]\ngeneratorOptions: {disableNameSuffixHash: true}\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("k8s/secret.yaml:1 v1 Secret prod/p-db\nk8s/kustomization.yaml v1 Secret p-t", strings.ReplaceAll(places(objects), "secret.yaml:2", "secret.yaml:1")); diff != "" {
		t.Error(diff)
	}
	if got := objects[0].Object["stringData"].(map[string]any)["password"]; got != "hunter2-${not_a_value}" {
		t.Errorf("password = %v", got)
	}
	if got := objects[1].Object["data"].(map[string]any)["token.key"]; got != "bm90IHlhbWwgYXQgYWxsOiBbCg==" {
		t.Errorf("token.key = %v", got)
	}
	for _, o := range objects {
		if !o.sensitive {
			t.Errorf("%s is not marked", o.Ref())
		}
	}
	for name, tt := range map[string]struct{ kustomization, want string }{
		"ConfigMap of a secret file": {"configMapGenerator:\n- name: t\n  files: [token.key]\n", "a value of k8s/token.key is sensitive and may stand only in data or stringData of a Secret, not at data.token.key of a ConfigMap"},
		"dotenv":                     {"secretGenerator:\n- name: t\n  envs: [p.env]\n", "k8s/p.env: encrypted with SOPS as a dotenv file, which is not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := build(t, tt.kustomization); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
	t.Run("no key", func(t *testing.T) {
		src := sealedCheckout(t, "-- k8s/kustomization.yaml --\nresources: [secret.yaml]\n", "k8s", files)
		src.Keys = nil
		if _, err := Render(src); !errors.Is(err, ErrNoKey) || !strings.HasPrefix(err.Error(), "k8s/secret.yaml:14: encrypted with SOPS") || strings.Contains(err.Error(), "\n") {
			t.Errorf("error = %v", err)
		}
	})
}

func TestSopsValuesOfAChart(t *testing.T) {
	const chart = "-- c/Chart.yaml --\napiVersion: v2\nname: top\nversion: 1.0.0\n-- c/templates/x.yaml --\n"
	src := sealedCheckout(t, chart+"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {p: {{ .Values.db.password }}, count: \"{{ .Values.replicas }}\"}\n", "c", map[string]string{"c/v.yaml": "values.yaml"})
	src.Chart.ValuesFiles = []string{"c/v.yaml"}
	objects, err := Render(src)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"p": "hunter2-long", "count": "2"}, objects[0].Object["stringData"]); diff != "" {
		t.Error(diff)
	}
	src = sealedCheckout(t, chart+configMapHead+"data: {p: \"{{ .Values.db.port }}\"}\n", "c", map[string]string{"c/v.yaml": "values.yaml"})
	src.Chart.ValuesFiles = []string{"c/v.yaml"}
	if _, err := Render(src); err == nil || !strings.Contains(err.Error(), "a value of c/v.yaml is sensitive") || strings.Contains(err.Error(), "54321") {
		t.Errorf("error = %v", err)
	}
}

func FuzzSopsOpen(f *testing.F) {
	f.Add("ENC[AES256_GCM,data:AA==,iv:AA==,tag:AAAAAAAAAAAAAAAAAAAAAA==,type:str]")
	f.Add("ENC[AES256_GCM,data:,iv:,tag:,type:]")
	f.Fuzz(func(t *testing.T, value string) {
		if text, _, err := sopsOpen(value, make([]byte, 32), "a:"); err == nil && value != "" {
			t.Errorf("opened %q: only a forged tag would do that", text)
		}
	})
}
