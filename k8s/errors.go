package k8s

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Returned by any call that speaks to a cluster.
var (
	ErrUnreachable  = errors.New("cluster unreachable")
	ErrUnauthorized = errors.New("the cluster does not accept the credentials")
	ErrForbidden    = errors.New("forbidden")
)

// Returned by Connect.
var (
	ErrExecPlugin = errors.New("the kubeconfig runs a program for its credentials, which is refused")
	ErrLocalFile  = errors.New("the kubeconfig names files of this machine, which is refused")
	ErrInsecure   = errors.New("the kubeconfig from an output does not say how to know its server, which is refused")
	ErrProxy      = errors.New("the kubeconfig from an output sends requests through a proxy, which is refused")
	ErrExpired    = errors.New("expired")
)

// Returned by Plan, Apply and Delete.
var (
	ErrEmptyRender = errors.New("nothing was rendered; an empty set prunes nothing")
	ErrUnhealthy   = errors.New("not healthy")
	ErrUnknownKind = errors.New("the cluster does not know this kind")
	ErrNotPruned   = errors.New("not all objects are gone")
	ErrTooLarge    = errors.New("too large for a cluster")
	// ErrHeldElsewhere is in the error of an object that two sets want.
	ErrHeldElsewhere = errors.New("held by another set")
	// ErrPruneHeld says that all was done but a prune that Set.AllowPrune has to allow.
	ErrPruneHeld = errors.New("a large prune waits")
	// ErrOtherCluster says that the set holds objects in another cluster, which Set.AllowMove would leave behind.
	ErrOtherCluster = errors.New("the set is in another cluster")
	ErrNoNamespace  = errors.New("it names no namespace, and this set has no default for it; add metadata.namespace")
)

// ConflictError says that other managers own fields that the set wants to change.
type ConflictError struct {
	Ref     string
	Fields  []string // as the server names them: .spec.replicas
	Manager string   // who owns them; several are joined by ", "
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("conflict: %s is owned by %s; remove the field from the manifest, let %s give it up, or let the set force it",
		strings.Join(e.Fields, ", "), e.Manager, e.Manager)
}

// FieldError is one fault inside an object.
type FieldError struct {
	Path    string // spec.containers[0].image
	Line    int    // in the object's file; 0 when not known
	Message string // never a value of a Secret
	// Immutable tells that the field of an object that exists cannot be changed.
	Immutable bool
}

// InvalidError says what the cluster's schema, or the server itself, finds wrong with an object.
type InvalidError struct {
	Ref    string
	File   string
	Line   int
	Fields []FieldError
	// Webhook tells that an admission webhook said so, not the API server itself.
	Webhook bool
}

func (e *InvalidError) Error() string {
	var b strings.Builder
	for i, f := range e.Fields {
		if i > 0 {
			b.WriteString("; ")
		}
		if f.Line > 0 && f.Line != e.Line {
			fmt.Fprintf(&b, "line %d: ", f.Line)
		}
		if f.Path != "" {
			b.WriteString(f.Path + ": ")
		}
		b.WriteString(f.Message)
	}
	return "invalid: " + b.String()
}

// RefusedError is any other refusal of the API server.
type RefusedError struct {
	Ref       string
	Reason    string // the API's reason: Forbidden, NotFound, InternalError…
	Temporary bool   // trying again may help, and was done
	Message   string // the server's words; withheld where they could repeat a Secret's value
	err       error  // a sentinel of this package, or nil
}

func (e *RefusedError) Error() string {
	if e.Temporary {
		return "refused for now (" + e.Reason + "): " + e.Message
	}
	return "refused (" + e.Reason + "): " + e.Message
}

// Unwrap returns the package's sentinel, if one fits.
func (e *RefusedError) Unwrap() error { return e.err }

// ObjectError places an error at the manifest, or inventory item, it is about.
type ObjectError struct {
	Ref  string
	File string // empty for an object that is no longer in the files
	Line int
	Err  error
}

func (e *ObjectError) Error() string {
	if e.File == "" {
		return e.Ref + ": " + e.Err.Error()
	}
	return place(e.File, e.Line) + ": " + e.Ref + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *ObjectError) Unwrap() error { return e.Err }

func objectError(o Object, err error) error {
	return &ObjectError{Ref: o.Ref(), File: o.File, Line: o.Line, Err: err}
}

// explain turns what the client library returns into this package's errors. ref names the object in question;
// for a Secret the server's own words are left out unless they are of a kind that cannot repeat a value.
func explain(err error, ref string, secret bool) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		if isNetwork(err) {
			return fmt.Errorf("%w: %s", ErrUnreachable, networkWords(err))
		}
		return err
	}
	s := status.Status()
	if conflict := conflictOf(s, ref); conflict != nil {
		return conflict
	}
	// An admission policy refuses as Invalid too, but names no field.
	if s.Reason == metav1.StatusReasonInvalid && s.Details != nil && len(s.Details.Causes) > 0 && s.Details.Causes[0].Field != "" {
		return invalidOf(s, ref, secret)
	}
	if malformed := malformedOf(s, ref, secret); malformed != nil {
		return malformed
	}
	if access := accessOf(s); access != nil {
		return access
	}
	e := &RefusedError{Ref: ref, Reason: string(s.Reason), Message: s.Message, Temporary: temporary(err)}
	switch {
	case apierrors.IsUnauthorized(err):
		e.err = ErrUnauthorized
	case apierrors.IsForbidden(err):
		e.err = ErrForbidden
	}
	if e.Reason == "" {
		e.Reason = fmt.Sprintf("HTTP %d", s.Code)
	}
	if secret {
		e.Message = secretWords(s.Message)
	}
	return e
}

// secretWords is as much of a refusal of a Secret as cannot repeat one of its values: what the server's own parts
// say about users, quotas and names, and from admission only who refused.
func secretWords(message string) string {
	for _, mark := range []string{"denied the request", "denied request"} {
		if before, _, found := strings.Cut(message, mark); found && strings.HasPrefix(before, "admission webhook ") {
			return before + mark + " (in words that are withheld: they could repeat a value of the Secret)"
		}
	}
	if i := strings.Index(message, "ValidatingAdmissionPolicy '"); i >= 0 {
		name, _, _ := strings.Cut(message[i+len("ValidatingAdmissionPolicy '"):], "'")
		return "ValidatingAdmissionPolicy " + name + " denied it (in words that are withheld: they could repeat a value of the Secret)"
	}
	for _, safe := range []string{" cannot patch resource ", " cannot get resource ", " cannot list resource ", " cannot delete resource ",
		" cannot create resource ", "exceeded quota: ", "because it is being terminated", `namespaces "`} {
		if strings.Contains(message, safe) {
			return message
		}
	}
	return "the server's words are withheld: they could repeat a value of the Secret"
}

// conflictOf reads the owners of contested fields; nil when the status is about something else.
func conflictOf(s metav1.Status, ref string) *ConflictError {
	if s.Reason != metav1.StatusReasonConflict || s.Details == nil {
		return nil
	}
	e := &ConflictError{Ref: ref}
	var managers []string
	for _, cause := range s.Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		e.Fields = append(e.Fields, cause.Field)
		if m := managerOf(cause.Message); !strings.Contains(strings.Join(managers, "\n"), m) {
			managers = append(managers, m)
		}
	}
	if len(e.Fields) == 0 {
		return nil
	}
	e.Manager = strings.Join(managers, ", ")
	return e
}

// managerOf takes the name out of: conflict with "kubectl-edit" using apps/v1 at 2026-01-01T00:00:00Z.
func managerOf(message string) string {
	_, rest, ok := strings.Cut(message, `conflict with "`)
	if !ok {
		return message
	}
	name, rest, _ := strings.Cut(rest, `"`)
	if strings.Contains(rest, `subresource "scale"`) {
		return name + " (scale)"
	}
	return name
}

func invalidOf(s metav1.Status, ref string, secret bool) *InvalidError {
	e := &InvalidError{Ref: ref, Webhook: strings.HasPrefix(s.Message, "admission webhook ")}
	for _, cause := range s.Details.Causes {
		message := cause.Message
		fixed := isImmutable(cause)
		if secret {
			message = secretCause(cause.Type)
		}
		e.Fields = append(e.Fields, FieldError{Path: cause.Field, Message: message, Immutable: fixed})
	}
	return e
}

// isImmutable reads whether a field cannot be changed. The API has no code for it: these are the words of its own validation.
func isImmutable(cause metav1.StatusCause) bool {
	return slices.ContainsFunc([]string{"immutable", "updates to ", "may not change", "may not be changed", "cannot be changed"}, func(words string) bool {
		return strings.Contains(cause.Message, words)
	})
}

// typedPatch is how the server begins to say that an object cannot be merged at all (a list that names a key
// twice, say). It sends it as an internal error, which it is not.
const typedPatch = "failed to create typed patch object ("

// malformedOf reads such a refusal; nil when the status is about something else.
func malformedOf(s metav1.Status, ref string, secret bool) *InvalidError {
	_, rest, found := strings.Cut(s.Message, typedPatch)
	if !found {
		return nil
	}
	_, rest, _ = strings.Cut(rest, "): ")
	path, message, _ := strings.Cut(rest, ": ")
	if secret {
		message = secretCause(metav1.CauseTypeFieldValueInvalid)
	}
	return &InvalidError{Ref: ref, Fields: []FieldError{{Path: strings.TrimPrefix(path, "."), Message: message}}}
}

// secretCause says what kind of fault a field of a Secret has; the server's own words could repeat the value.
func secretCause(t metav1.CauseType) string {
	switch t {
	case metav1.CauseTypeFieldValueRequired:
		return "required, and missing"
	case metav1.CauseTypeForbidden:
		return "may not be set or changed (is the Secret immutable?)"
	case metav1.CauseTypeFieldValueInvalid, metav1.CauseTypeTypeInvalid:
		return "not valid (the server's words are withheld)"
	}
	return "refused as " + string(t)
}

// temporary tells whether the same request may succeed a little later.
func temporary(err error) bool {
	if apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsAlreadyExists(err) {
		return true
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		s := status.Status()
		if s.Reason == metav1.StatusReasonConflict {
			return conflictOf(s, "") == nil
		}
		if s.Reason == metav1.StatusReasonForbidden {
			return strings.Contains(s.Message, "exceeded quota") // what is being deleted may still count
		}
		return s.Code >= 500 && !strings.Contains(s.Message, typedPatch) && !strings.Contains(s.Message, otherVersion)
	}
	return isNetwork(err)
}

// isNetwork tells whether the request never got an answer.
func isNetwork(err error) bool {
	var ne net.Error
	var op *net.OpError
	return errors.As(err, &op) || errors.As(err, &ne) || errors.Is(err, context.DeadlineExceeded) ||
		strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "connection reset") ||
		strings.Contains(err.Error(), "http2: ")
}

// networkWords drops the request's address in front of the cause; the cluster is named by the caller.
func networkWords(err error) string {
	text := err.Error()
	if i := strings.Index(text, `": `); i >= 0 {
		text = text[i+3:]
	}
	return text
}
