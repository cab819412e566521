//go:build !unix

package engine

import (
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return nil }

// askToEnd has no gentle form here. The worker may be gone already.
func askToEnd(p *os.Process) { _ = p.Kill() }
