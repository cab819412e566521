package redistest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
)

// Each process starts at a random port, and tries no port twice.
var (
	firstPort = rand.Int32N(ports)
	lastPort  atomic.Int32
)

const ports = 20_000 // that may be tried

// FreePort returns a port of loopback on which no process listens. No other test of this process
// gets the same port.
func FreePort(t testing.TB) string {
	t.Helper()
	// Below the ports that systems assign by themselves. So no listener or connection of another
	// process gets the port before it is used.
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
