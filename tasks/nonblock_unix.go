//go:build unix

package tasks

import "syscall"

// nonblock lets a FIFO be opened that nobody writes to.
const nonblock = syscall.O_NONBLOCK
