// Package confine runs a command as in an ordinary container: under a seccomp filter that refuses namespaces and mounts.
//
//	denyns [--no-landlock] [--errno-flock] COMMAND [ARG…]
//
// The command in cmd sets no_new_privs, installs the filter on itself and executes COMMAND, which inherits it with all
// its children; [Build] builds it for a test. What the filter refuses, and with which error, is what the default
// profiles of Docker and containerd do for a container without CAP_SYS_ADMIN, so that a program meets here what it
// meets there. It is not all of a container: /proc has no masked paths, and a root that starts it remains root with
// its capabilities for what the filter does not name.
//
// --no-landlock makes a kernel without Landlock of this one, --errno-flock a file system without flock of every one.
package confine
