package cache_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/godags/godags/cache"
	"github.com/redis/go-redis/v9"
)

// childVariable makes the test binary act as one of many processes instead: see
// disk_process_test.go.
const childVariable = "GODAGS_CACHE_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childVariable); role != "" {
		os.Exit(childMain(role))
	}
	os.Exit(m.Run())
}

var key = cache.Key{Run: "wine-1", Name: "features"}

func put(t testing.TB, c cache.Cache, key cache.Key, value []byte) {
	t.Helper()
	if err := c.Put(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}

// openMiniredis starts a Redis inside the test.
func openMiniredis(t testing.TB) *redis.Client {
	t.Helper()
	return connect(t, &redis.Options{Addr: miniredis.RunT(t).Addr()})
}

// openRedis starts a private redis-server on a unix socket.
func openRedis(t testing.TB, settings ...string) *redis.Client {
	t.Helper()
	socket, _ := startRedis(t, settings...)
	return connect(t, &redis.Options{Network: "unix", Addr: socket})
}

func connect(t testing.TB, o *redis.Options) *redis.Client {
	t.Helper()
	client := redis.NewClient(o)
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// startRedis returns the socket and the log of a redis-server that lives as long as the test.
func startRedis(t testing.TB, settings ...string) (socket string, log *bufio.Scanner) {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		const advice = "needs redis-server: install Debian's package redis-server"
		if os.Getenv("GODAGS_TEST_STRICT") == "1" {
			t.Fatal(advice)
		}
		t.Skip(advice)
	}
	dir, err := os.MkdirTemp("", "godags") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	args := append([]string{"--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--maxmemory-policy", "noeviction"}, settings...)
	ctx, stop := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, program, args...)
	out, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		server.Wait() // it was killed: its status says nothing
	})
	log = bufio.NewScanner(out)
	waitForLine(t, log, "eady to accept connections")
	return socket, log
}

func waitForLine(t testing.TB, lines *bufio.Scanner, wanted string) {
	t.Helper()
	var seen strings.Builder
	for lines.Scan() {
		if strings.Contains(lines.Text(), wanted) {
			return
		}
		fmt.Fprintln(&seen, lines.Text())
	}
	t.Fatalf("the output ended without %q:\n%s", wanted, &seen)
}
