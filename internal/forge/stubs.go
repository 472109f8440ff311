package forge

import "errors"

func newGitHub(cfg Config) (backend, *transport, error) { return nil, nil, errors.New("not yet") }
func newGitLab(cfg Config) (backend, *transport, error) { return nil, nil, errors.New("not yet") }
