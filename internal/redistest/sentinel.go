package redistest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Sentinels is a primary with a replica, watched by one Sentinel, which calls the primary "main".
type Sentinels struct {
	t                          testing.TB
	primary, replica, sentinel *Server
	primaryAddr, sentinelAddr  string
	authority                  *Authority // nil without TLS
}

// patience is how long a test waits for the servers to agree. A Sentinel that got no processor time
// for two seconds does nothing for thirty.
const patience = 2 * time.Minute

// StartSentinels starts the servers on loopback, for as long as the test lives. It returns when the
// replica has all data and the Sentinel knows the replica. With an authority, which may be nil, the
// servers speak TLS only. They have its certificate "server", and require one of their clients,
// such as "client".
func StartSentinels(t testing.TB, a *Authority) *Sentinels {
	t.Helper()
	primary := FreePort(t)
	replica := FreePort(t)
	sentinel := FreePort(t)
	s := &Sentinels{t: t, primaryAddr: "127.0.0.1:" + primary, sentinelAddr: "127.0.0.1:" + sentinel, authority: a}
	s.primary = Start(t, append(s.listen(primary), "--repl-diskless-sync-delay", "0")...)
	s.replica = Start(t, append(s.listen(replica), "--replicaof", "127.0.0.1", primary)...)

	// The view of the replica is not enough: until its first acknowledgement the primary keeps new
	// writes back.
	s.until("the primary sends its writes to the replica", func(ctx context.Context) bool {
		return strings.Contains(s.primary.Client().Info(ctx, "replication").Val(), "state=online")
	})

	// A Sentinel writes what it learns into its configuration, so the file needs a folder of the
	// test.
	folder := filepath.Dir(s.replica.socket)
	config := filepath.Join(folder, "sentinel.conf")
	text := strings.ReplaceAll(strings.Join(s.listen(sentinel), " "), " --", "\n")
	text = fmt.Sprintf("%s\ndir %s\nsentinel monitor main 127.0.0.1 %s 1\nsentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n",
		strings.TrimPrefix(text, "--"), folder, primary)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	s.sentinel = &Server{t: t, program: s.primary.program, args: []string{config, "--sentinel"}}
	s.sentinel.launch()
	t.Cleanup(s.sentinel.Kill)
	s.until("the Sentinel knows the replica", func(ctx context.Context) bool {
		return strings.Contains(s.ask(ctx, "REPLICAS", "main"), replica)
	})
	return s
}

// listen returns the arguments of a server on a port.
func (s *Sentinels) listen(port string) []string {
	args := []string{"--bind", "127.0.0.1", "--port", port}
	if a := s.authority; a != nil {
		args = []string{"--bind", "127.0.0.1", "--port", "0", "--tls-port", port, "--tls-replication", "yes", "--tls-ca-cert-file", a.Path("ca"),
			"--tls-cert-file", a.Path("server"), "--tls-key-file", a.Path("server-key")}
	}
	return args
}

// URL returns the URL with which a program finds the primary.
func (s *Sentinels) URL() string {
	if s.authority != nil {
		return "rediss-sentinel://" + s.sentinelAddr + "/main" + s.authority.Options("client")
	}
	return "redis-sentinel://" + s.sentinelAddr + "/main"
}

// FailOver kills the primary once the replica has all that was written before the call, and returns
// when the Sentinel has made the replica the primary.
func (s *Sentinels) FailOver() {
	s.t.Helper()
	// Without this wait the fail-over may lose the last writes, as Redis permits. A test could not
	// tell that from a fault of the program.
	written := s.primary.offset(context.Background())
	s.until("the replica has what was written", func(ctx context.Context) bool { return s.replica.offset(ctx) >= written })
	s.primary.Kill()
	_, old, _ := strings.Cut(s.primaryAddr, ":")
	s.until("the replica is the primary", func(ctx context.Context) bool {
		answer := s.ask(ctx, "GET-MASTER-ADDR-BY-NAME", "main")
		return answer != "" && !strings.Contains(answer, old) &&
			strings.Contains(s.replica.Client().Info(ctx, "replication").Val(), "role:master")
	})
}

// offset returns the position of the server in the stream of writes of the primary.
func (s *Server) offset(ctx context.Context) int64 {
	s.t.Helper()
	text := s.Client().InfoMap(ctx, "replication").Item("Replication", "master_repl_offset")
	offset, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatalf("the offset of replication: %s", err)
	}
	return offset
}

// ask returns the answer of the Sentinel as text, "" if there is none.
func (s *Sentinels) ask(ctx context.Context, words ...any) string {
	o := &redis.Options{Addr: s.sentinelAddr, Protocol: 2}
	if s.authority != nil {
		o.TLSConfig = s.authority.Config("client")
	}

	client := redis.NewClient(o)
	defer client.Close()
	answer, err := client.Do(ctx, append([]any{"SENTINEL"}, words...)...).Result()
	if err != nil {
		return ""
	}

	return fmt.Sprint(answer)
}

func (s *Sentinels) until(what string, holds func(context.Context) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); !holds(ctx); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("waited %s until %s", patience, what)
		}
	}
}
