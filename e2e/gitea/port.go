package gitea

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// reservedPort is a port on 127.0.0.1 that the kernel gives to nobody who asks for any port, nor to a connection, while
// a program that asks for this one may listen on it: the socket is bound, does not listen, and allows its address to be
// used again.
type reservedPort struct {
	fd     int
	number int
}

func reservePort() (_ *reservedPort, err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	syscall.CloseOnExec(fd)
	p := &reservedPort{fd: fd}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return nil, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	address, err := syscall.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	inet, ok := address.(*syscall.SockaddrInet4)
	if !ok {
		return nil, fmt.Errorf("reserve a port: got an address of %T", address)
	}
	p.number = inet.Port
	return p, nil
}

func (p *reservedPort) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.number)) }

func (p *reservedPort) close() { _ = syscall.Close(p.fd) }
