package terraform

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// erroredState is what Terraform writes into the root module when it cannot store a state in its backend.
const erroredState = "errored.tfstate"

// keepErrored moves it to the state home: the next view would sweep it away.
func (s *Session) keepErrored() error {
	inView := filepath.Join(s.view.path(s.dir), erroredState)
	data, err := os.ReadFile(inView)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = s.keepUnstored(data)
	}
	if err == nil {
		err = os.Remove(inView)
	}
	if err != nil {
		return fmt.Errorf("keep the state that Terraform could not store (%s): %w", inView, err)
	}
	return nil
}

// keepUnstored writes a state that its backend did not take beside the states of the repository, under a name of its own.
func (s *Session) keepUnstored(data []byte) error {
	dir := filepath.Join(s.state.dir, filepath.FromSlash(s.dir))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, "errored-"+s.spec.workspaceName()+"-*.tfstate")
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	s.note("the state of this run could not be stored in its backend; it is kept as %s and must be pushed with `terraform state push`", file.Name())
	return nil
}
