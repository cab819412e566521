//go:build unix && !linux

package tasks

import "syscall"

// leaderAttr makes a command the leader of its group.
func leaderAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
