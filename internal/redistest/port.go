package redistest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// FreePort is a port of loopback on which nobody listens. It is below those that systems hand out by themselves, so that no listener or
// connection of another test gets it before it is used.
func FreePort(t testing.TB) string {
	t.Helper()
	var err error
	for range 100 {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal(fmt.Errorf("no free port: %w", err))
	return ""
}
