package k8s

import (
	"encoding/base64"
	"maps"
	"reflect"
	"strings"
)

// lastApplied is where kubectl keeps a copy of the whole object, a Secret's values included.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// withoutNoise is an object without what a cluster, or Mooring itself, writes: nobody decides about it. What is
// left out is left out of a copy.
func withoutNoise(o map[string]any) map[string]any {
	o = maps.Clone(o)
	delete(o, "status")
	meta, ok := o["metadata"].(map[string]any)
	if !ok {
		return o
	}
	meta = maps.Clone(meta)
	for _, field := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"} {
		delete(meta, field)
	}
	drop(meta, "labels", ownerLabel)
	drop(meta, "annotations", ownerLabel, lastApplied)
	o["metadata"] = meta
	return o
}

// drop takes keys out of a copy of the map in a field, and the field away when nothing is left in it.
func drop(o map[string]any, field string, keys ...string) {
	m, ok := o[field].(map[string]any)
	if !ok {
		return
	}
	m = maps.Clone(m)
	for _, k := range keys {
		delete(m, k)
	}
	if o[field] = m; len(m) == 0 {
		delete(o, field)
	}
}

// What stands for a value that may not be seen.
const (
	maskSame = "(hidden)"
	maskOld  = "(hidden, old value)"
	maskNew  = "(hidden, new value)"
	// afterApply stands for a value of Terraform's that is known only after an apply.
	afterApply = "(known after apply)"
)

// masked takes the values out that may not be seen: a Secret's data and whatever annotations may repeat of it
// (tools keep copies and checksums there), and everything below the first level of an object that is sensitive
// as a whole. Keys stay, and which of them differ.
func masked(old, new map[string]any, sensitive bool) (map[string]any, map[string]any) {
	switch {
	case isSecretObject(old) || isSecretObject(new):
		old, new = maps.Clone(old), maps.Clone(new)
		for _, field := range []string{"data", "stringData"} {
			maskField(old, new, field, func(string) bool { return true })
		}
		om, nm := metaClone(old), metaClone(new)
		maskField(om, nm, "annotations", func(k string) bool { return !strings.HasPrefix(k, "mooring.dev/") })
	case sensitive:
		old, new = maps.Clone(old), maps.Clone(new)
		for _, field := range keysOfAll(old, new) {
			switch field {
			case "apiVersion", "kind":
			case "metadata":
				om, nm := metaClone(old), metaClone(new)
				maskField(om, nm, "annotations", func(string) bool { return true })
			default:
				maskField(old, new, field, func(string) bool { return true })
			}
		}
	}
	return old, new
}

func isSecretObject(o map[string]any) bool {
	return o["kind"] == "Secret" && o["apiVersion"] == "v1"
}

// metaClone gives an object a metadata map of its own.
func metaClone(o map[string]any) map[string]any {
	m, ok := o["metadata"].(map[string]any)
	if !ok {
		return nil
	}
	m = maps.Clone(m)
	o["metadata"] = m
	return m
}

// maskField masks one field of both objects, and of a mapping only the keys that are asked for.
func maskField(old, new map[string]any, field string, which func(key string) bool) {
	o, was := old[field]
	n, is := new[field]
	om, nm := asMap(o), asMap(n)
	if om == nil && nm == nil { // not mappings, or none at all
		o, n = maskValue(o, n, was, is)
		put(old, field, o, was)
		put(new, field, n, is)
		return
	}
	om, nm = maps.Clone(om), maps.Clone(nm)
	for _, k := range keysOfAll(om, nm) {
		if !which(k) {
			continue
		}
		ov, was := om[k]
		nv, is := nm[k]
		ov, nv = maskValue(ov, nv, was, is)
		put(om, k, ov, was)
		put(nm, k, nv, is)
	}
	put(old, field, orMask(om, o), was)
	put(new, field, orMask(nm, n), is)
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// orMask is the masked mapping, or the mask itself for what should have been one and is not.
func orMask(m map[string]any, was any) any {
	if _, ok := was.(map[string]any); ok || was == nil {
		return m
	}
	return maskSame
}

func put(m map[string]any, k string, v any, there bool) {
	if there {
		m[k] = v
	}
}

// maskValue is what is shown of a value before and after.
func maskValue(old, new any, was, is bool) (any, any) {
	unknown := mentionsUnknown(new)
	switch {
	case unknown && was:
		return maskOld, afterApply
	case unknown:
		return nil, afterApply
	case was && is && !reflect.DeepEqual(old, new):
		return maskOld, maskNew
	}
	return maskSame, maskSame
}

// mentionsUnknown tells whether a value of a Secret holds the mark of a value that is not known yet, in clear or
// as it stands in data.
func mentionsUnknown(v any) bool {
	s, ok := v.(string)
	if !ok {
		return false
	}
	if plain, err := base64.StdEncoding.DecodeString(s); err == nil && strings.Contains(string(plain), afterApply) {
		return true
	}
	return strings.Contains(s, afterApply)
}
