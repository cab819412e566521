// Package redistest gives each test a private Redis: a real redis-server, or miniredis inside the
// test.
package redistest

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// Both runs a test on an empty redis-server ("redis") and on an empty miniredis ("miniredis").
func Both(t *testing.T, test func(t *testing.T, rdb *redis.Client)) {
	t.Helper()
	t.Run("redis", func(t *testing.T) { test(t, Start(t).Client()) })
	t.Run("miniredis", func(t *testing.T) { test(t, Mini(t)) })
}

// Mini returns a client of a miniredis that lives as long as the test. The client uses no socket,
// so it works in a testing/synctest bubble too.
func Mini(t testing.TB) *redis.Client {
	t.Helper()
	m := miniredis.NewMiniRedis()
	t.Cleanup(m.Close)
	return connect(t, &redis.Options{Addr: "127.0.0.1:0", Dialer: func(context.Context, string, string) (net.Conn, error) { return m.Dial() }})
}

// Server is a redis-server on a unix socket in a private folder.
type Server struct {
	t       testing.TB
	program string
	args    []string
	socket  string
	process *os.Process
	exited  chan struct{}
}

// Start starts a redis-server that lives as long as the test. It stores nothing on disk unless
// arguments say so: with "--appendonly", "yes" its data survives [Server.Kill] and
// [Server.Restart]. Where redis-server is not installed the test is skipped, or fails if
// GODAGS_TEST_STRICT=1.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		// On a machine that is meant to run everything, a skipped test must not look like success.
		const advice = "redis-server is not on PATH: install Debian's package redis-server to run this test"
		if os.Getenv("GODAGS_TEST_STRICT") == "1" {
			t.Fatal(advice)
		}
		t.Skip(advice)
	}

	// The path of t.TempDir may be too long for a socket.
	dir, err := os.MkdirTemp("", "godags")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})

	// No port, so that servers of tests that run at once cannot meet, and no eviction, as for runs.
	s := &Server{t: t, program: program, socket: filepath.Join(dir, "s")}
	s.args = append([]string{"--port", "0", "--unixsocket", s.socket, "--dir", dir, "--save", "", "--maxmemory-policy", "noeviction"}, args...)
	s.launch()
	t.Cleanup(s.Kill)
	return s
}

// launch starts the server. It returns when the server has loaded its data and accepts connections.
func (s *Server) launch() {
	s.t.Helper()
	said := &output{ready: make(chan struct{})}
	cmd := exec.Command(s.program, s.args...)
	cmd.Stdout = said
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}

	// A server with a wrong argument exits without ever being ready. Its output then tells why.
	exited := make(chan struct{})
	s.process = cmd.Process
	s.exited = exited
	go func() {
		defer close(exited)
		cmd.Wait() // the error says no more than the output
	}()
	select {
	case <-said.ready:
	case <-exited:
		s.t.Fatalf("redis-server ended:\n%s", said)
	}
}

// URL returns the URL of the server.
func (s *Server) URL() string { return "unix://" + s.socket }

// Client returns a new client, which is closed when the test ends.
func (s *Server) Client() *redis.Client {
	s.t.Helper()
	return connect(s.t, &redis.Options{Network: "unix", Addr: s.socket})
}

// Kill kills the server with SIGKILL and waits until it is gone. A second call does nothing.
func (s *Server) Kill() {
	s.process.Kill() // fails only if the server is gone
	<-s.exited
}

// Restart kills the server if it runs, and starts it again with the same folder and socket.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	s.launch()
}

func connect(t testing.TB, o *redis.Options) *redis.Client {
	t.Helper()
	o.Protocol = 2 // as everywhere in this module
	client := redis.NewClient(o)
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})

	return client
}

// output keeps the output of a redis-server. It closes ready when the server accepts connections.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ready chan struct{}
	once  sync.Once
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	said := o.text.Bytes()

	// A Sentinel prints the second text.
	if bytes.Contains(said, []byte("eady to accept connections")) || bytes.Contains(said, []byte("+monitor")) {
		o.once.Do(func() { close(o.ready) })
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
