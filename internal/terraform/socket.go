package terraform

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
)

// socketPair makes the two ends by which a runner talks to its supervisor: files can go along with the words. Package net could do it, and
// would take its time at every start of a supervisor.
func socketPair() (ours, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range ends {
		syscall.CloseOnExec(fd)
	}
	// Before os.NewFile: so it is waited for by polling. Theirs becomes a standard input, which must be found blocking to be opened anew.
	if err := syscall.SetNonblock(ends[0], true); err != nil {
		return nil, nil, errors.Join(err, syscall.Close(ends[0]), syscall.Close(ends[1]))
	}
	return os.NewFile(uintptr(ends[0]), "supervisor"), os.NewFile(uintptr(ends[1]), "runner"), nil
}

// sendFiles writes data whose first byte brings files along. The files stay open here.
func sendFiles(socket *os.File, data []byte, files ...*os.File) error {
	conn, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var fds []int
	for _, file := range files {
		raw, err := file.SyscallConn()
		if err != nil {
			return err
		}
		if err := raw.Control(func(fd uintptr) { fds = append(fds, int(fd)) }); err != nil {
			return err
		}
	}
	var sent int
	var failed error
	err = conn.Write(func(fd uintptr) bool {
		for {
			sent, failed = syscall.SendmsgN(int(fd), data, syscall.UnixRights(fds...), nil, 0)
			if !errors.Is(failed, syscall.EINTR) {
				return !errors.Is(failed, syscall.EAGAIN)
			}
		}
	})
	if err := errors.Join(err, os.NewSyscallError("sendmsg", failed)); err != nil {
		return err
	}
	_, err = socket.Write(data[sent:])
	return err
}

// receiver reads a socket and keeps the files that come along.
type receiver struct {
	socket *os.File

	mu    sync.Mutex // guards what follows
	files []*os.File
}

func (r *receiver) Read(data []byte) (n int, err error) {
	conn, err := r.socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	beside := make([]byte, syscall.CmsgSpace(4*4))
	var length int
	var failed, kept error
	// Nobody starts anything with a file that has come and is not closed for it yet.
	err = conn.Read(func(fd uintptr) bool {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		for {
			n, length, _, _, failed = syscall.Recvmsg(int(fd), data, beside, 0)
			switch {
			case errors.Is(failed, syscall.EINTR):
			case errors.Is(failed, syscall.EAGAIN):
				return false
			case failed != nil:
				return true
			default:
				kept = r.keep(beside[:length])
				return true
			}
		}
	})
	if err := errors.Join(err, os.NewSyscallError("recvmsg", failed), kept); err != nil {
		return 0, err
	}
	if n == 0 && len(data) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// keep takes files out of what came beside the data.
func (r *receiver) keep(beside []byte) error {
	messages, err := syscall.ParseSocketControlMessage(beside)
	if err != nil {
		return err
	}
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		if err != nil {
			return err
		}
		r.mu.Lock()
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			r.files = append(r.files, os.NewFile(uintptr(fd), "from the runner"))
		}
		r.mu.Unlock()
	}
	return nil
}

// take hands out the files that came since the last time.
func (r *receiver) take() []*os.File {
	r.mu.Lock()
	defer r.mu.Unlock()
	files := r.files
	r.files = nil
	return files
}
