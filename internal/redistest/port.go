package redistest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
)

// Each process begins at another port, and tries none twice.
var (
	firstPort = rand.Int32N(ports)
	lastPort  atomic.Int32
)

const ports = 20_000 // that may be tried

// FreePort is a port of loopback on which no process listens, and which no other test of the
// process is given. It is below those that systems hand out by themselves, so that no listener or
// connection of another process gets it before it is used.
func FreePort(t testing.TB) string {
	t.Helper()
	var err error
	for range 100 {
		port := strconv.Itoa(10_000 + int((firstPort+lastPort.Add(1))%ports))
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}

	t.Fatal(fmt.Errorf("no free port: %w", err))
	return ""
}
