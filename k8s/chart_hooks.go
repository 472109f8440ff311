package k8s

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// What Helm's annotations mean, and the ones that stand for them here.
const (
	helmHook   = "helm.sh/hook"
	helmWeight = "helm.sh/hook-weight"
	helmPolicy = "helm.sh/resource-policy"
)

// mapHook turns Helm's annotations on an object into Mooring's. False leaves the object out.
func (r *chartRender) mapHook(d document) bool {
	annotations := childOf(childOf(d.node, "metadata"), "annotations")
	if policy := scalarAt(annotations, helmPolicy); policy == "keep" {
		setKey(annotations, pruneAnnotation, "disabled")
	}
	hooks := scalarAt(annotations, helmHook)
	if hooks == "" {
		return true
	}
	when := map[string]bool{}
	for event := range strings.SplitSeq(hooks, ",") {
		event = strings.ToLower(strings.TrimSpace(event))
		switch {
		case slices.Contains(r.options.IgnoreHooks, event):
		case event == "test" || event == "test-success" || event == "test-failure":
		case event == "pre-install" || event == "pre-upgrade":
			when["before"] = true
		case event == "post-install" || event == "post-upgrade":
			when["after"] = true
		case event == "crd-install":
			r.fault(d.file, d.line, "the hook crd-install is of Helm 2; move the definition to the chart's crds/ directory, or say ignore_hooks = [%q]", event)
			return false
		default:
			r.fault(d.file, d.line, "the hook %s of %s %s has no counterpart here: nothing is run when a set is deleted or rolled back. To render the chart without it say ignore_hooks = [%q]",
				event, scalarAt(d.node, "kind"), scalarAt(d.node, "metadata", "name"), event)
			return false
		}
	}
	if len(when) == 2 {
		r.fault(d.file, d.line, "the hook %s of %s %s would run before and after the set; leave one of them out with ignore_hooks", hooks, scalarAt(d.node, "kind"), scalarAt(d.node, "metadata", "name"))
		return false
	}
	if kind := scalarAt(d.node, "kind"); when["before"] && (kind == "CustomResourceDefinition" || kind == "Namespace") {
		return true // sent before any hook as it is
	}
	for w := range when {
		setKey(annotations, hookAnnotation, w)
	}
	if weight := scalarAt(annotations, helmWeight); weight != "" && len(when) > 0 {
		setKey(annotations, waveAnnotation, weight)
	}
	return len(when) > 0
}

// setKey sets a key of a mapping to a text.
func setKey(n *yaml.Node, key, value string) {
	text := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: yaml.DoubleQuotedStyle}
	if n = resolve(n); n == nil || n.Kind != yaml.MappingNode {
		return
	}
	if has := childOf(n, key); has != nil {
		*has = *text
		return
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, text)
}
