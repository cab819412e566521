package redisx

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

// watched is a watch, a logger for those who use Redis, and all that is logged.
func watched() (*watch, *slog.Logger, *bytes.Buffer) {
	var text bytes.Buffer
	w := newWatch(slog.New(slog.NewTextHandler(&text, nil)))
	return w, slog.New(quiet{w.log.Handler(), w}), &text
}

var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

func TestWatch_ReportsAnOutageOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, log, text := watched()
		w.note(nil)
		for range 2 * 90 {
			w.note(errRefused)
			log.Warn("heartbeat failed", "error", fmt.Errorf("worker w1: %w", errRefused))
			log.Error(fmt.Sprintf("Dequeue error: %v", errRefused)) // as Asynq does
			time.Sleep(time.Second / 2)
		}
		log.Warn("report refused", "error", errors.New("another attempt has replaced this one"))
		w.note(redis.Nil)
		w.note(nil)
		var said []string
		for line := range strings.Lines(text.String()) {
			_, line, _ = strings.Cut(line, "msg=")
			said = append(said, strings.TrimSpace(line))
		}
		want := []string{`"cannot reach Redis, will try again" error="dial tcp: connection refused"`,
			`"still cannot reach Redis" for=1m1s error="dial tcp: connection refused"`,
			`"report refused" error="another attempt has replaced this one"`, `"Redis answers again" after=1m30s`}
		if strings.Join(said, "\n") != strings.Join(want, "\n") {
			t.Errorf("said\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestWatch_ReportsNoShortOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, log, text := watched()
		for range 10 {
			w.note(errRefused)
			log.Warn("heartbeat failed", "error", errRefused)
			time.Sleep(awayAfter / 2)
			w.note(nil)
		}
		if text.Len() > 0 {
			t.Error(text)
		}
	})
}

// A Redis that is full answers: its message must be logged, but not all the time.
func TestWatch_RepeatsARefusalOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, log, text := watched()
		for i := range 90 {
			full := proto(fmt.Sprintf("OOM command not allowed when used memory > 'maxmemory'. script: %d", i))
			w.note(full)
			w.note(nil)
			log.Warn("heartbeat failed", "error", full)
			log.Warn("cannot hand stages to the queue", "error", full)
			time.Sleep(time.Second)
		}
		if n := strings.Count(text.String(), "OOM"); n != 2 {
			t.Errorf("said %d times:\n%s", n, text)
		}
	})
}

// proto is an error that Redis answers.
type proto string

func (p proto) Error() string { return string(p) }
func (p proto) RedisError()   {}
