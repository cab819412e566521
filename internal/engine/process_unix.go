//go:build unix && !linux

package engine

import "syscall"

// ownGroup keeps a terminal's Ctrl-C from a worker process.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
