package mooring.pack.kubernetes.service_account_token_test

import data.mooring.pack.given
import data.mooring.pack.kubernetes.service_account_token

account(rest) := object.union({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": "shop"}}, rest)

test_hit_in_every_workload if {
	every spec, why in {
		{"automountServiceAccountToken": true}: "mounts the token of its service account",
		{"serviceAccountName": "web"}: "leaves it to its service account whether the token is mounted",
		{"automountServiceAccountToken": null}: "leaves it to its service account whether the token is mounted",
	} {
		every workload in given.in_pod(spec) {
			found := service_account_token.warn with input as workload
			some f in found
			count(found) == 1
			endswith(f.msg, why)
		}
	}
}

test_hit_service_account if {
	every rest in [{}, {"automountServiceAccountToken": true}, {"automountServiceAccountToken": null}] {
		found := service_account_token.warn with input as account(rest)
		given.said(found) == {"v1 ServiceAccount shop/web: its token is mounted into every pod that does not say otherwise"}
	}
}

test_miss if {
	every workload in given.in_pod({"automountServiceAccountToken": false}) {
		found := service_account_token.warn with input as workload
		count(found) == 0
	}
	every object_ in [account({"automountServiceAccountToken": false}), given.thing("v1", "ConfigMap", "c", {})] {
		found := (service_account_token.deny | service_account_token.ask) | service_account_token.warn with input as object_
		count(found) == 0
	}
}

test_miss_where_the_service_account_says_no if {
	live := {
		"v1/ServiceAccount/shop/web": account({"automountServiceAccountToken": false}),
		"v1/ServiceAccount/shop/default": account({"automountServiceAccountToken": false}),
	}
	every spec in [{"serviceAccountName": "web"}, {"serviceAccount": "web"}, {}] {
		found := service_account_token.warn with input as given.pod(spec) with data.mooring.live as live
		count(found) == 0
	}
	other := service_account_token.warn with input as given.pod({"serviceAccountName": "other"}) with data.mooring.live as live
	count(other) == 1
}

test_tuning if {
	settings := {"kubernetes.service_account_token": {"service_accounts": ["shop/*"]}}
	every object_ in [account({}), given.pod({"automountServiceAccountToken": true}), given.pod({})] {
		found := service_account_token.warn with input as object_ with data.settings as settings
		count(found) == 0
	}
	off := service_account_token.warn with input as given.pod({}) with data.settings as {"kubernetes.service_account_token": {"unset": "off"}}
	count(off) == 0
	denied := service_account_token.deny with input as given.pod({}) with data.settings as {"kubernetes.service_account_token": {"effect": "deny"}}
	count(denied) == 1
	asked := service_account_token.ask with input as account({}) with data.settings as {"kubernetes.service_account_token": {"effect": "ask"}}
	count(asked) == 1
	old := service_account_token.warn with input as account({}) with data.mooring.live as {"v1/ServiceAccount/shop/web": account({})}
		with data.settings as {"kubernetes.service_account_token": {"existing": false}}
	count(old) == 0
}

test_tuning_wrong if {
	found := service_account_token.deny with input as given.pod({}) with data.settings as {"kubernetes.service_account_token": {"nonsense": 1}}
	given.said(found) == {`kubernetes.service_account_token is set wrongly: it has no setting "nonsense"`}
}
