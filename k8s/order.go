package k8s

import (
	"cmp"
	"fmt"
	"strconv"
)

const (
	// waveAnnotation is a whole number, 0 when left out: objects of a lower wave are healthy before those of a higher
	// one are sent.
	waveAnnotation = "mooring.dev/wave"
	// hookAnnotation is "before" or "after": sent, and done or healthy, before or after everything else of the set. A Job or a Pod
	// with it runs anew with every change of the set.
	hookAnnotation = "mooring.dev/hook"
)

// Order is when an object is sent: by phase, then by wave, then by stage.
type Order struct {
	Phase Phase
	Wave  int
	Stage int
}

// Phase is a part of an apply; each is healthy before the next begins.
type Phase int

// The phases of an apply.
const (
	PhaseGround Phase = iota // CRDs and Namespaces: what everything else stands on
	PhaseBefore              // hooks
	PhaseMain
	PhaseAfter // hooks
)

func (o Order) compare(p Order) int {
	return cmp.Or(cmp.Compare(o.Phase, p.Phase), cmp.Compare(o.Wave, p.Wave), cmp.Compare(o.Stage, p.Stage))
}

func (o Order) isHook() bool { return o.Phase == PhaseBefore || o.Phase == PhaseAfter }

// together tells whether two orders are sent without waiting for health in between.
func (o Order) together(p Order) bool { return o.Phase == p.Phase && o.Wave == p.Wave }

// orderOf reads when an object wants to be sent.
func orderOf(o Object, item Item) (Order, error) {
	order := Order{Phase: PhaseMain, Stage: stageOf(item)}
	fault := func(annotation, want string) error {
		path := []string{"metadata", "annotations", annotation}
		return &InvalidError{Ref: o.Ref(), File: o.File, Line: o.Line, Fields: []FieldError{{Path: fieldPath(path), Line: o.lineOf(path),
			Message: fmt.Sprintf("%q: %s", o.GetAnnotations()[annotation], want)}}}
	}
	if text, set := o.GetAnnotations()[waveAnnotation]; set {
		wave, err := strconv.Atoi(text)
		if err != nil {
			return order, fault(waveAnnotation, `a whole number is expected, such as "1" or "-1"`)
		}
		order.Wave = wave
	}
	switch o.GetAnnotations()[hookAnnotation] {
	case "":
	case "before":
		order.Phase = PhaseBefore
	case "after":
		order.Phase = PhaseAfter
	default:
		return order, fault(hookAnnotation, `"before" or "after" is expected`)
	}
	if order.Stage <= stageNamespace {
		if order.isHook() {
			return order, fault(hookAnnotation, "a "+item.Kind+" is sent before everything else as it is; remove the annotation")
		}
		order.Phase, order.Wave = PhaseGround, 0
	}
	return order, nil
}
