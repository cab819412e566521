//go:build !unix

package engine

import (
	"os"
	"syscall"
)

func ChildAttr() *syscall.SysProcAttr { return nil }

// AskToEnd has no gentle form here. The worker may be gone already.
func AskToEnd(p *os.Process) { _ = p.Kill() }
