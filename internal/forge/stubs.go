package forge

import "errors"

func newGitea(cfg Config) (backend, *transport, error) { return nil, nil, errors.New("not yet") }
