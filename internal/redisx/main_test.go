package redisx

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// The test binary, started again with this variable, is another command that
// uses the private Redis of the folder named in homeEnv.
const (
	roleEnv = "REDISX_TEST_ROLE"
	homeEnv = "REDISX_TEST_HOME"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		if err := play(role, os.Getenv(homeEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// visits is how often a "visitor" opens and closes the private Redis.
const visits = 10

func play(role, home string) error {
	ctx := context.Background()
	switch role {
	case "visitor":
		for range visits {
			if err := visit(ctx, home); err != nil {
				return err
			}
		}
	case "holder": // holds it until stdin ends, or a signal
		c, err := Open(ctx, Config{Home: home})
		if err != nil {
			return err
		}
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
		return c.Close()
	}
	return nil
}

func visit(ctx context.Context, home string) error {
	c, err := Open(ctx, Config{Home: home})
	if err != nil {
		return err
	}
	if err := c.Client().Incr(ctx, "visits").Err(); err != nil {
		return fmt.Errorf("incr: %w", err)
	}
	return c.Close()
}

// another starts this test binary in a role.
func another(t *testing.T, role, home string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+role, homeEnv+"="+home)
	return cmd
}

// startHolder returns once another process has the private Redis of home open.
func startHolder(t *testing.T, home string) *exec.Cmd {
	t.Helper()
	cmd := another(t, "holder", home)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Wait() })
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("holder said %q, %v", line, err)
	}
	return cmd
}

func needServer(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err == nil {
		return path
	}
	if os.Getenv("GODAGS_TEST_STRICT") == "1" {
		t.Fatal("no redis-server on PATH: install redis-server")
	}
	t.Skip("no redis-server on PATH: install redis-server to run this test")
	return ""
}

// tempDir is t.TempDir with a name short enough for a unix socket.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// openPrivateIn opens the private Redis of home and closes it after the test.
func openPrivateIn(t *testing.T, home string) *Conn {
	t.Helper()
	needServer(t)
	c, err := Open(t.Context(), Config{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if c.Kind != Private {
		t.Fatalf("opened %v, want private", c.Kind)
	}
	return c
}

// openMemory opens an in-process Redis and closes it after the test.
func openMemory(t *testing.T) *Conn {
	t.Helper()
	t.Setenv("PATH", t.TempDir())
	c, err := Open(t.Context(), Config{Home: filepath.Join(t.TempDir(), "unused")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// startRedis starts a redis-server with these settings and returns its socket.
func startRedis(t *testing.T, settings ...string) (socket string) {
	t.Helper()
	socket = filepath.Join(tempDir(t), "s")
	args := append([]string{"--port", "0", "--unixsocket", socket, "--dir", filepath.Dir(socket), "--save", ""}, settings...)
	cmd := exec.Command(needServer(t), args...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var log sync.WaitGroup
	t.Cleanup(func() { cmd.Process.Kill(); log.Wait(); cmd.Wait() })
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "ready to accept connections") {
			log.Go(func() { io.Copy(io.Discard, stdout) })
			return socket
		}
	}
	t.Fatal("redis-server did not start")
	return ""
}

// client returns a plain client for the Redis at url.
func client(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	o, err := parseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := o.client()
	t.Cleanup(func() { c.Close() })
	return c
}

// fakeRedis listens on loopback and answers each command, given in upper
// case, with what answer returns; "" closes the connection.
func fakeRedis(t *testing.T, answer func(command string) string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { l.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				serveFake(bufio.NewReader(conn), conn, answer)
			})
		}
	})
	return l.Addr().String()
}

func serveFake(r *bufio.Reader, w io.Writer, answer func(string) string) {
	for {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		reply := answer(strings.ToUpper(args[0]))
		if reply == "" {
			return
		}
		io.WriteString(w, reply)
	}
}

func readCommand(r *bufio.Reader) ([]string, error) {
	var n, size int
	if _, err := fmt.Fscanf(r, "*%d\r\n", &n); err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		if _, err := fmt.Fscanf(r, "$%d\r\n", &size); err != nil {
			return nil, err
		}
		buf := make([]byte, size+2)
		if _, err := io.ReadFull(r, buf); err != nil {
			return nil, err
		}
		args[i] = string(buf[:size])
	}
	return args, nil
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }
