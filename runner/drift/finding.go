package drift

import (
	"time"
)

// Class is what kind of difference it is.
type Class string

// The classes.
const (
	Undeployed Class = "undeployed"  // a commit that is not applied yet explains it: no drift, and no alert
	OutOfBand  Class = "out_of_band" // somebody changed the real thing
	Churn      Class = "churn"       // a plan of what was just applied still differs: a provider or data source that never settles
	Unhealthy  Class = "unhealthy"   // an object is as it was asked for and does not work
)

// Change is what happened to the real thing.
type Change string

// The changes.
const (
	Changed Change = "changed"
	Deleted Change = "deleted"
	Added   Change = "added" // it is there and should not be
	Broken  Change = "broken"
)

// Severity orders findings for people and routes.
type Severity string

// The severities, from least to worst.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Finding is one resource or object that is not as its commit says.
type Finding struct {
	Address  string   `json:"address"` // module.net.aws_instance.web[0], apps/v1 Deployment web/api
	Kind     string   `json:"kind"`    // aws_instance, apps/Deployment
	Class    Class    `json:"class"`
	Change   Change   `json:"change"`
	Severity Severity `json:"severity"`
	Action   string   `json:"action"` // what a convergence would do: create, update, delete, replace, none
	Fields   []Field  `json:"fields,omitempty"`
	Message  string   `json:"message,omitempty"` // of an unhealthy one: why; no value that is secret
	// Cause is equal where the same thing was done to resources of the same kind, in whatever workspace.
	Cause string `json:"cause"`
	// Fingerprint is equal as long as nothing about the drift changes. It holds for one unit.
	Fingerprint string `json:"fingerprint"`
}

// Field is one attribute that differs.
type Field struct {
	Path   string `json:"path"` // tags.Owner, spec.template.spec.containers[name=web].image
	Old    any    `json:"old"`  // as it should be; null of a secret
	New    any    `json:"new"`  // as it is; null of a secret
	Secret bool   `json:"secret,omitempty"`
	// Planned says that Old is what a plan would set, which can be another with each plan. Else it is what was there before.
	Planned bool `json:"planned,omitempty"`
	// Unknown says of what is planned that it is only known after an apply: Old is null then.
	Unknown bool `json:"unknown,omitempty"`
	// Digest stands for both values in fingerprints, and tells nothing to anyone without the key. [Finding.Seal] sets it.
	Digest string `json:"digest,omitempty"`
	// Cut says that values were too long: what stands in their place is said of them, and is none.
	Cut bool       `json:"cut,omitempty"`
	By  string     `json:"by,omitempty"` // the field manager that wrote it, where known
	At  *time.Time `json:"at,omitempty"` // when it did
}
