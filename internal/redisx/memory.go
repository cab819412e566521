package redisx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// expiryInterval is how late a key of the in-process Redis may expire. With
// very many keys it grows, so that expiry takes at most 1/expiryShare of the time.
const (
	expiryInterval = 100 * time.Millisecond
	expiryShare    = 20
)

// memory is a Redis inside this process. Clients of this process reach it by
// pipes; share opens a socket for other processes.
type memory struct {
	redis *miniredis.Miniredis
	stop  context.CancelFunc
	tasks sync.WaitGroup // expire and accept

	mu       sync.Mutex
	closed   bool
	listener net.Listener // of share, or nil
	folder   string       // holds the listener's socket
}

func openInProcess(ctx context.Context, lack string) (*Conn, error) {
	m := &memory{redis: miniredis.NewMiniRedis()}
	ticking, stop := context.WithCancel(context.Background())
	m.stop = stop
	m.tasks.Go(func() { m.expire(ticking) })
	o := tune(&redis.Options{Addr: "in-process", Dialer: m.dial})
	c, _, err := connect(ctx, target{Options: o}, m.close)
	if err != nil {
		return nil, err
	}

	c.Kind = InProcess
	c.memory = m
	c.Note = lack + ": using an in-process Redis; runs will not survive this process"
	return c, nil
}

func (m *memory) dial(context.Context, string, string) (net.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed { // miniredis would start again
		return nil, net.ErrClosed
	}

	conn, err := m.redis.Dial()
	if err != nil {
		return nil, err
	}

	return newBuffered(conn), nil
}

// expire lets TTLs run by the clock. miniredis' own ClockTTL does the same
// exactly, but sorts all keys at every command.
func (m *memory) expire(ctx context.Context) {
	last := time.Now()
	wait := expiryInterval
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}

		now := time.Now()
		m.redis.FastForward(now.Sub(last))
		last = now
		wait = max(expiryInterval, expiryShare*time.Since(now))
	}
}

// share serves the in-process Redis on a unix socket, once.
func (m *memory) share(ctx context.Context) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return "", fmt.Errorf("share the in-process Redis: %w", net.ErrClosed)
	}

	if m.listener == nil {
		if err := m.listen(ctx); err != nil {
			return "", fmt.Errorf("share the in-process Redis: %w; set TMPDIR to a folder with a short name, or install redis-server", err)
		}
		m.tasks.Go(m.accept)
	}

	return socketURL(m.listener.Addr().String()), nil
}

func (m *memory) listen(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "godags-") // mode 0700: no password needed
	if err != nil {
		return err
	}

	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", filepath.Join(folder, socketName))
	if err != nil {
		os.Remove(folder)
		return err
	}

	m.listener = l
	m.folder = folder
	return nil
}

func (m *memory) accept() {
	server := m.redis.Server()
	for {
		conn, err := m.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // such as too many open files: try again
			time.Sleep(pollInterval)
			continue
		}

		server.ServeConn(conn)
	}
}

func (m *memory) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.closed = true
	m.stop()
	var err error
	if m.listener != nil {
		err = m.listener.Close()
	}

	m.tasks.Wait()
	m.redis.Close()
	if m.folder != "" {
		err = errors.Join(err, os.RemoveAll(m.folder))
	}
	return err
}
