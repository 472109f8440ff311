package mooring.pack.kubernetes.image_tag_test

import data.mooring.pack.given
import data.mooring.pack.kubernetes.image_tag

pod(image) := given.pod({"containers": [{"name": "a", "image": image}]})

digest := "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

hits := {
	"nginx": "has no tag",
	"registry.example.com:5000/team/app": "has no tag",
	"nginx:": "has no tag",
	"nginx:latest": "has a tag that moves",
	"registry.example.com:5000/team/app:latest": "has a tag that moves",
}

test_hit if {
	every image, why in hits {
		found := image_tag.warn with input as pod(image)
		given.said(found) == {sprintf("v1 Pod shop/web: container \"a\": image %q %s", [image, why])}
	}
	none := image_tag.warn with input as given.pod({"containers": [{"name": "a"}]})
	given.said(none) == {`v1 Pod shop/web: container "a": has no image`}
}

test_hit_in_every_workload_and_container if {
	every field in ["containers", "initContainers", "ephemeralContainers"] {
		every workload in given.in_pod({field: [{"name": "a", "image": "nginx:latest"}]}) {
			found := image_tag.warn with input as workload
			count(found) == 1
		}
	}
}

test_miss if {
	every image in ["nginx:1.29", "registry.example.com:5000/app:v1", concat("@", ["nginx", digest]), concat("@", ["nginx:latest", digest])] {
		found := (image_tag.deny | image_tag.ask) | image_tag.warn with input as pod(image)
		count(found) == 0
	}
}

test_tuning if {
	found := image_tag.deny with input as pod("app:edge-3") with data.settings as {"kubernetes.image_tag": {"effect": "deny", "tags": ["latest", "edge*"]}}
	count(found) == 1
	asked := image_tag.ask with input as pod("app:1.0") with data.settings as {"kubernetes.image_tag": {"effect": "ask", "digests": true}}
	given.said(asked) == {`v1 Pod shop/web: container "a": image "app:1.0" has no digest`}
	exact := image_tag.warn with input as pod(concat("@", ["app", digest])) with data.settings as {"kubernetes.image_tag": {"digests": true}}
	count(exact) == 0
	old := image_tag.warn with input as pod("nginx") with data.mooring.live as {"v1/Pod/shop/web": pod("nginx")} with data.settings as {"kubernetes.image_tag": {"existing": false}}
	count(old) == 0
}

test_tuning_wrong if {
	found := image_tag.deny with input as given.pod({}) with data.settings as {"kubernetes.image_tag": {"nonsense": 1}}
	given.said(found) == {`kubernetes.image_tag is set wrongly: it has no setting "nonsense"`}
}
