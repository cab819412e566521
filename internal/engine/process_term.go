//go:build unix

package engine

import (
	"os"
	"syscall"
)

// AskToEnd tells a worker to drain, and one that drains already to leave at once. It may be gone
// already.
func AskToEnd(p *os.Process) { _ = p.Signal(syscall.SIGTERM) }
