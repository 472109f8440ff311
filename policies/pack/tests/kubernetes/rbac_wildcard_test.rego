package mooring.pack.kubernetes.rbac_wildcard_test

import data.mooring.pack.given
import data.mooring.pack.kubernetes.rbac_wildcard

role(kind, rules) := {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": "r"}, "rules": rules}

binding(kind, name, subjects) := {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": name}, "subjects": subjects}

hits := {
	`ClusterRole r: allows the verb "*"`: role("ClusterRole", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}]),
	`Role r: allows all resources`: role("Role", [{"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}]),
	`Role r: allows all apiGroups`: role("Role", [{"apiGroups": ["*"], "resources": ["pods"], "verbs": ["get"]}]),
	`ClusterRole r: allows all nonResourceURLs`: role("ClusterRole", [{"nonResourceURLs": ["*"], "verbs": ["get"]}]),
	`ClusterRole r: allows the verb "escalate"`: role("ClusterRole", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "escalate"]}]),
	`ClusterRoleBinding b: gives the role cluster-admin`: binding("ClusterRoleBinding", "cluster-admin", [{"kind": "User", "name": "anna"}]),
	`RoleBinding b: gives a role to system:unauthenticated`: binding("RoleBinding", "view", [{"kind": "Group", "name": "system:unauthenticated"}]),
}

test_hit if {
	every msg, object_ in hits {
		found := rbac_wildcard.ask with input as object_
		given.said(found) == {sprintf("rbac.authorization.k8s.io/v1 %s", [msg])}
	}
}

test_miss if {
	every object_ in [
		role("Role", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]),
		role("ClusterRole", null),
		binding("RoleBinding", "view", [{"kind": "ServiceAccount", "name": "system:anonymous"}, {"kind": "Group", "name": "devs"}]),
		binding("RoleBinding", "view", null),
		given.thing("acme.io/v1", "Role", "r", {"rules": [{"verbs": ["*"]}]}),
		given.set([]),
	] {
		found := (rbac_wildcard.deny | rbac_wildcard.ask) | rbac_wildcard.warn with input as object_
		count(found) == 0
	}
}

test_tuning if {
	secrets := role("Role", [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["deletecollection"]}])
	found := rbac_wildcard.deny with input as secrets with data.settings as {"kubernetes.rbac_wildcard": {"effect": "deny", "verbs": ["deletecollection"]}}
	count(found) == 1
	bound := rbac_wildcard.warn with input as binding("RoleBinding", "admin", [{"kind": "Group", "name": "all"}])
		with data.settings as {"kubernetes.rbac_wildcard": {"effect": "warn", "roles": ["admin"], "subjects": ["all"]}}
	count(bound) == 2
	every object_ in hits {
		name := sprintf("%s//%s", [object_.kind, object_.metadata.name])
		old := rbac_wildcard.ask with input as object_
			with data.mooring.live as {concat("/", [object_.apiVersion, name]): object_}
			with data.settings as {"kubernetes.rbac_wildcard": {"existing": false}}
		count(old) == 0
	}
}

test_tuning_wrong if {
	found := rbac_wildcard.deny with input as given.pod({}) with data.settings as {"kubernetes.rbac_wildcard": {"nonsense": 1}}
	given.said(found) == {`kubernetes.rbac_wildcard is set wrongly: it has no setting "nonsense"`}
}
