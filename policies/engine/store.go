package engine

import (
	"context"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
)

// store reads data for rules; nothing is written to it. What is read is in the transaction: a view is the data of one
// source with what is known of one run beside it, made without copying either.
type store struct {
	storage.TriggersNotSupported
	storage.PolicyNotSupported
	storage.WritesNotSupported
	base view
}

// view is a transaction: the document that it shows.
type view struct{ root ast.Object }

// ID is asked for by OPA's interface only.
func (*view) ID() uint64 { return 1 }

// with is the view with members added or replaced at its top.
func (v *view) with(members map[string]*ast.Term) *view {
	items := make([][2]*ast.Term, 0, v.root.Len()+len(members))
	v.root.Foreach(func(key, value *ast.Term) {
		if name, ok := key.Value.(ast.String); !ok || members[string(name)] == nil {
			items = append(items, ast.Item(key, value))
		}
	})
	for _, name := range sorted(members) {
		items = append(items, ast.Item(ast.StringTerm(name), members[name]))
	}
	return &view{ast.NewObject(items...)}
}

func (s *store) NewTransaction(context.Context, ...storage.TransactionParams) (storage.Transaction, error) {
	return &s.base, nil
}

func (s *store) Read(_ context.Context, txn storage.Transaction, path storage.Path) (any, error) {
	shown, ok := txn.(*view)
	if !ok {
		return nil, &storage.Error{Code: storage.InvalidTransactionErr, Message: "not a view"}
	}
	var here ast.Value = shown.root
	for _, step := range path {
		var next *ast.Term
		switch at := here.(type) {
		case ast.Object:
			next = at.Get(ast.StringTerm(step))
		case *ast.Array:
			if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < at.Len() {
				next = at.Elem(i)
			}
		}
		if next == nil {
			return nil, &storage.Error{Code: storage.NotFoundErr, Message: path.String() + ": not there"}
		}
		here = next.Value
	}
	return here, nil
}

func (s *store) Truncate(context.Context, storage.Transaction, storage.TransactionParams, storage.Iterator) error {
	return &storage.Error{Code: storage.WritesNotSupportedErr, Message: "policies write nothing"}
}

func (*store) Commit(context.Context, storage.Transaction) error { return nil }

func (*store) Abort(context.Context, storage.Transaction) {}

// has tells whether a path leads to something.
func (s *store) has(path []string) (bool, error) {
	_, err := s.Read(context.Background(), &s.base, path)
	if storage.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}
