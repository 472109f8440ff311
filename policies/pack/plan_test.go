package pack

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// judge is one query for what all rules of a kind say.
type judge struct{ query rego.PreparedEvalQuery }

func newJudge(t testing.TB, kind Kind, data map[string]any) judge {
	t.Helper()
	compiler := ast.NewCompiler()
	if compiler.Compile(modules(t, false)); compiler.Failed() {
		t.Fatal(compiler.Errors)
	}
	query := "said := {word | "
	var words string
	for _, r := range Rules() {
		if r.Kind != kind {
			continue
		}
		for _, effect := range []string{"deny", "ask", "warn"} {
			if words != "" {
				words += ", "
			}
			words += fmt.Sprintf("[%q, data.mooring.pack.%s.%s]", effect, r.ID, effect)
		}
	}
	query += fmt.Sprintf("some pair in [%s]; some f in pair[1]; word := concat(\" \", [pair[0], f.rule, f.msg])}", words)
	q, err := rego.New(rego.Query(query), rego.Compiler(compiler), rego.Store(inmem.NewFromObject(data)),
		rego.StrictBuiltinErrors(true)).PrepareForEval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return judge{q}
}

// said is what the rules say of the input, "effect rule message", sorted.
func (j judge) said(ctx context.Context, input any) ([]string, error) {
	result, err := j.query.Eval(ctx, rego.EvalInput(input))
	if err != nil {
		return nil, err
	}
	var words []string
	for _, w := range result[0].Bindings["said"].([]any) {
		words = append(words, w.(string))
	}
	slices.Sort(words)
	return words, nil
}

// TestPlans judges plans in the shapes that Terraform and the providers give them.
func TestPlans(t *testing.T) {
	tests := []struct {
		file string
		want []string
	}{
		{"aws-open", []string{
			`ask terraform.public_bucket aws_s3_bucket_public_access_block.site: block_public_acls is not true`,
			`ask terraform.public_ingress aws_security_group.web: port 22 (tcp) is open to 0.0.0.0/0`,
			`ask terraform.public_ingress aws_vpc_security_group_ingress_rule.db: port 5432 (tcp) is open to 0.0.0.0/0`,
			`ask terraform.stateful aws_db_instance.orders: replaces a database`,
			`ask terraform.stateful module.dns["eu"].aws_route53_zone.main: destroys a DNS zone`,
			`ask terraform.unencrypted_storage aws_ebs_volume.data: encrypted is not true`,
			`ask terraform.wildcard_iam aws_iam_policy.ci: policy allows *`,
		}},
		{"aws-computed", []string{
			`ask terraform.public_ingress module.net[0].aws_security_group.inside: whom it lets in is not known before the apply`,
			`ask terraform.unencrypted_storage aws_ebs_volume.usual: encrypted is not set`,
			`ask terraform.wildcard_iam aws_iam_policy.made: policy is not known before the apply`,
			`warn terraform.public_ingress aws_security_group.apart: the plan does not show its rules: written apart from it, or by a dynamic block`,
			`warn terraform.wildcard_iam aws_iam_role.app: the plan does not show its inline_policy: there is none, or a dynamic block writes it`,
		}},
		{"google-open", []string{
			`ask terraform.public_bucket google_storage_bucket_iam_member.public: it grants to allUsers`,
			`ask terraform.public_ingress google_compute_firewall.ssh: port 22 (tcp) is open to 0.0.0.0/0`,
			`ask terraform.stateful google_dns_managed_zone.main: replaces a DNS zone`,
			`ask terraform.stateful google_sql_database_instance.orders: destroys a database`,
			`ask terraform.wildcard_iam google_cloud_run_v2_service_iam_member.open: it grants to allUsers`,
			`ask terraform.wildcard_iam google_project_iam_binding.owners: it grants roles/owner`,
		}},
		{"azure-open", []string{
			`ask terraform.public_bucket azurerm_storage_container.site: container_access_type is "blob"`,
			`ask terraform.public_ingress azurerm_network_security_group.web: port 3389 (tcp) is open to *`,
			`ask terraform.public_ingress azurerm_network_security_rule.ssh: port 22, 443 (tcp) is open to Internet`,
			`ask terraform.stateful azurerm_managed_disk.data: destroys a volume`,
			`ask terraform.unencrypted_storage azurerm_mssql_database.orders: transparent_data_encryption_enabled is not true`,
			`ask terraform.wildcard_iam azurerm_role_assignment.ci: its role is "Owner"`,
			`ask terraform.wildcard_iam azurerm_role_definition.ops: it allows *`,
		}},
		{"masked", []string{
			`ask terraform.public_ingress aws_security_group_rule.hidden: whom it lets in is not known before the apply`,
			`ask terraform.wildcard_iam aws_iam_policy.hidden: policy is not known before the apply`,
		}},
	}
	j := newJudge(t, Terraform, map[string]any{})
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			got, err := j.said(t.Context(), readJSON(t, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("said (-want +got):\n%s", diff)
			}
		})
	}
}

// TestManifests judges objects, and what a set would do, in the shape that the engine gives them.
func TestManifests(t *testing.T) {
	given := readJSON(t, "manifests").(map[string]any)
	j := newJudge(t, Kubernetes, map[string]any{"mooring": map[string]any{"live": given["live"]}})
	var got []string
	for _, input := range given["inputs"].([]any) {
		said, err := j.said(t.Context(), input)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, said...)
	}
	want := []string{
		`ask kubernetes.host_path apps/v1 Deployment shop/web: mounts /var/run/docker.sock of the node`,
		`ask kubernetes.privileged apps/v1 Deployment shop/web: init container "init" is privileged`,
		`warn kubernetes.image_tag apps/v1 Deployment shop/web: init container "init": image "registry.example.com:5000/tools/init" has no tag`,
		`warn kubernetes.limits apps/v1 Deployment shop/web: container "web" has no limit of cpu`,
		`ask kubernetes.host_namespaces batch/v1 CronJob kube-system/clean: hostPID is true`,
		`ask kubernetes.protected_namespaces batch/v1 CronJob kube-system/clean: is in the namespace kube-system`,
		`ask kubernetes.rbac_wildcard rbac.authorization.k8s.io/v1 ClusterRole ops: allows the verb "*"`,
		`ask kubernetes.stateful v1 PersistentVolumeClaim shop/data: prunes a PersistentVolumeClaim`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}

func readJSON(t testing.TB, name string) any {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(src, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
