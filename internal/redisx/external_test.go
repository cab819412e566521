package redisx

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/godags/godags/internal/redistest"
)

func TestOpen_UsesTheURL(t *testing.T) {
	url := socketURL(startRedis(t)) + "?db=2"
	c, err := Open(t.Context(), Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if c.Kind != External || c.URL != url || !strings.HasPrefix(c.Note, "Redis ") || !strings.HasSuffix(c.Note, url) {
		t.Errorf("opened %v, %q, %q", c.Kind, c.URL, c.Note)
	}
	shared, err := c.Share(t.Context())
	if shared != url || err != nil {
		t.Errorf("shared as %q, %v", shared, err)
	}
	further := c.NewClient()
	if err := further.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Error(err)
	}
	if err := further.Close(); err != nil {
		t.Error(err)
	}
	if v, err := c.Client().Get(t.Context(), "k").Result(); v != "v" || err != nil {
		t.Errorf("the shared client reads %q, %v after the further one is closed", v, err)
	}
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Error(err)
	}
}

func TestOpen_ExplainsAnUnusableRedis(t *testing.T) {
	m := miniredis.RunT(t)
	m.RequireUserAuth("ann", "s3cr3t")
	https := httptest.NewUnstartedServer(http.NotFoundHandler())
	https.Config.ErrorLog = log.New(io.Discard, "", 0)
	https.StartTLS()
	defer https.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	old := fakeRedis(t, func(command string) string {
		switch command {
		case "PING":
			return "+PONG\r\n"
		case "INFO":
			return bulk("# Server\r\nredis_version:6.0.0\r\n")
		}
		return "-ERR unknown command\r\n"
	})
	hangUp := fakeRedis(t, func(string) string { return "" })
	full := fakeRedis(t, func(string) string { return "-ERR max number of clients reached\r\n" })
	protected := fakeRedis(t, func(string) string { return "-DENIED Redis is running in protected mode because...\r\n" })

	for name, test := range map[string]struct{ url, want string }{
		"refused port":     {"redis://127.0.0.1:" + redistest.FreePort(t), "connection refused"},
		"missing socket":   {socketURL(filepath.Join(t.TempDir(), "none")), "connection refused"},
		"unknown host":     {"redis://" + strings.Repeat("x", 64), "no such host"},
		"wrong password":   {"redis://ann:s3cr3d@" + m.Addr(), "wrong user name or password"},
		"no password":      {"redis://" + m.Addr(), "it wants a password"},
		"too old":          {"redis://" + old, "it is Redis 6.0.0, and 6.2 or newer is needed"},
		"full":             {"redis://" + full, "no connection left"},
		"protected":        {"redis://" + protected, "protected mode"},
		"hangs up":         {"redis://" + hangUp, "closed the connection"},
		"not Redis":        {"redis://" + plain.Listener.Addr().String(), "not Redis"},
		"TLS to plain":     {"rediss://" + plain.Listener.Addr().String(), "answers without TLS"},
		"TLS hangs up":     {"rediss://" + hangUp, "closed the connection"},
		"unknown TLS root": {"rediss://" + https.Listener.Addr().String(), "certificate signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), Config{URL: test.url})
			var e *UnreachableError
			if !errors.As(err, &e) {
				t.Fatalf("error %v, want an UnreachableError", err)
			}
			if !strings.Contains(e.Reason, test.want) || e.Fix == "" {
				t.Errorf("%v\nwant %q", e, test.want)
			}
			if strings.Contains(e.Error(), "s3cr3d") || strings.Contains(e.Error(), "\n") {
				t.Errorf("holds the password or more than a line: %v", e)
			}
		})
	}
}

func TestOpen_WaitsWhileRedisLoads(t *testing.T) {
	var pings atomic.Int32
	addr := fakeRedis(t, func(command string) string {
		switch {
		case command == "PING" && pings.Add(1) < 10:
			return "-LOADING Redis is loading the dataset in memory\r\n"
		case command == "PING":
			return "+PONG\r\n"
		case command == "INFO":
			return "-NOPERM this user has no permissions to run the 'info' command\r\n"
		}
		return "-ERR unknown command\r\n"
	})
	c, err := Open(t.Context(), Config{URL: "redis://" + addr})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpen_EndsWithItsContext(t *testing.T) {
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	addr := fakeRedis(t, func(string) string {
		cancel(why)
		return "-LOADING Redis is loading the dataset in memory\r\n"
	})
	if _, err := Open(ctx, Config{URL: "redis://" + addr}); !errors.Is(err, why) {
		t.Errorf("error %v, want %v", err, why)
	}
}
