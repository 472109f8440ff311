package drift

import (
	"bufio"
	_ "embed"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// SeverityRule sets how grave findings are, in place of what [Severe] says.
type SeverityRule struct {
	Kinds   []string // globs: aws_db_*, apps/*; none is every kind
	Changes []Change // none is every change
	// Classes are those the rule is about; none is what somebody did or what does not work. Churn and what is not
	// deployed yet are graver than info only where a rule names them.
	Classes []Class
	Level   Severity
}

// Grade sets the severity of findings: that of the first rule that holds, else the usual one. A rule that names neither
// kinds nor changes, or whose level is none that exists, holds for nothing.
func Grade(found []Finding, rules []SeverityRule) {
	for i := range found {
		f := &found[i]
		f.Severity = Severe(*f)
		for _, r := range rules {
			if r.holds(f) {
				f.Severity = r.Level
				break
			}
		}
	}
}

func (r SeverityRule) holds(f *Finding) bool {
	if len(r.Kinds) == 0 && len(r.Changes) == 0 || !slices.Contains([]Severity{Info, Warning, Critical}, r.Level) {
		return false
	}
	classes := r.Classes
	if len(classes) == 0 {
		classes = []Class{OutOfBand, Unhealthy}
	}
	return slices.Contains(classes, f.Class) &&
		(len(r.Changes) == 0 || slices.Contains(r.Changes, f.Change)) &&
		(len(r.Kinds) == 0 || matches(r.Kinds, f.Kind))
}

// matches reports whether one of some globs matches a whole name. One that is no glob matches nothing.
func matches(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(g string) bool {
		ok, err := doublestar.Match(g, name)
		return err == nil && ok
	})
}

// Severe is how grave a finding usually is. Critical is what loses data (something that holds data is gone, or an apply
// would replace it) and what opens a door (permissions, firewalls, policies, public access). Churn, what is not
// deployed yet and updates that follow from another drift are info, all else is a warning.
func Severe(f Finding) Severity {
	switch {
	case f.Class == Undeployed || f.Class == Churn || f.Class == OutOfBand && follows(f):
		return Info
	case (f.Change == Deleted || f.Action == "replace" || remade(f)) && stateful(f.Kind):
		return Critical
	case f.Class == Unhealthy:
		return Warning
	case matches(guards, f.Kind) || slices.ContainsFunc(f.Fields, func(x Field) bool { return guarding(x.Path) }):
		return Critical
	}
	return Warning
}

//go:embed stateful.txt
var statefulText string

var statefulTypes = func() map[string]bool {
	out := map[string]bool{}
	for lines := bufio.NewScanner(strings.NewReader(statefulText)); lines.Scan(); {
		out[lines.Text()] = true
	}
	return out
}()

// stateful reports whether something of a kind holds data that goes with it.
func stateful(kind string) bool {
	switch kind[strings.LastIndex(kind, "/")+1:] {
	case "PersistentVolumeClaim", "PersistentVolume", "StatefulSet", "Namespace", "CustomResourceDefinition", "Secret":
		return true
	}
	return statefulTypes[kind]
}

// guards are the kinds that decide who may do or reach what.
var guards = []string{
	"aws_iam_*", "aws_security_group*", "aws_vpc_security_group_*", "aws_default_security_group", "aws_network_acl*",
	"aws_default_network_acl", "aws_networkfirewall_*", "aws_waf*", "aws_organizations_policy*", "aws_ssoadmin_*",
	"aws_s3_bucket_policy", "aws_s3_bucket_acl", "aws_s3_*public_access_block", "aws_s3_bucket_ownership_controls",
	"aws_s3_access_point*", "aws_kms_key_policy", "aws_kms_grant", "aws_lambda_permission", "aws_*_resource_policy",
	"aws_{sns_topic,sqs_queue,ecr_repository,secretsmanager_secret,efs_file_system,backup_vault}_policy",
	"aws_eks_access_*", "aws_cloudtrail", "aws_guardduty_detector",

	"google_*_iam_*", "google_compute_firewall*", "google_compute_*firewall_policy*", "google_compute_security_policy*",
	"google_org_policy_*", "google_organization_policy", "google_folder_organization_policy",
	"google_project_organization_policy", "google_service_account*", "google_storage_*acl*", "google_access_context_manager_*",

	"azurerm_role_*", "azurerm_network_security_*", "azurerm_*security_group_association", "azurerm_firewall*",
	"azurerm_*_firewall_rule", "azurerm_*policy_assignment", "azurerm_policy_*", "azurerm_key_vault_access_policy",
	"azurerm_*_network_rules", "azurerm_web_application_firewall_policy", "azuread_*",

	"cloudflare_access_*", "cloudflare_zero_trust_*", "cloudflare_firewall_*", "cloudflare_ruleset", "vault_*polic*",
	"vault_*_role", "github_branch_protection*", "github_repository_ruleset", "github_team_*", "github_membership",
	"digitalocean_firewall", "hcloud_firewall*", "openstack_networking_secgroup*",

	"rbac.authorization.k8s.io/*", "networking.k8s.io/NetworkPolicy", "admissionregistration.k8s.io/*",
	"cilium.io/*Policy", "kyverno.io/*", "certificates.k8s.io/*",
	"kubernetes_{role,cluster_role,network_policy,service_account,validating_webhook,mutating_webhook}*",
}

// guarding reports whether an attribute decides who may do or reach something, whatever its resource is.
func guarding(path string) bool {
	for step := range strings.FieldsFuncSeq(path, func(r rune) bool { return strings.ContainsRune(`.[]"`, r) }) {
		switch step {
		case "policy", "assume_role_policy", "inline_policy", "acl", "publicly_accessible", "public_access_prevention",
			"public_network_access_enabled", "allow_nested_items_to_be_public", "public_access_enabled",
			"allow_blob_public_access", "uniform_bucket_level_access", "security_groups", "security_group_ids",
			"vpc_security_group_ids", "ingress", "egress", "authorized_networks", "cidr_blocks", "endpoint_public_access",
			"public_access_cidrs", "iam_instance_profile", "service_account", "encrypted", "storage_encrypted",
			"kms_key_id", "deletion_protection", "securityContext", "serviceAccountName", "hostNetwork", "privileged":
			return true
		}
	}
	return false
}
