//go:build unix && !linux

package engine

import "syscall"

// ChildAttr keeps a terminal's Ctrl-C from a worker process.
func ChildAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
