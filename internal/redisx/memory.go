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

// expiryInterval is how late a key of the in-process Redis may expire. With very many keys it
// grows, so that expiry takes at most 1/expiryShare of the time.
const (
	expiryInterval = 100 * time.Millisecond
	expiryShare    = 20
)

// memory is a Redis inside this process. Clients of this process reach it by pipes. The method
// share opens a socket for other processes.
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

	// A dial to a closed miniredis would start it again.
	if m.closed {
		return nil, net.ErrClosed
	}

	conn, err := m.redis.Dial()
	if err != nil {
		return nil, err
	}

	return newBuffered(conn), nil
}

// expire moves the TTLs of keys forward with the clock.
func (m *memory) expire(ctx context.Context) {
	// The ClockTTL of miniredis does this exactly, but sorts all keys at every command.
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
	// Only this user can enter the folder, so the Redis needs no password.
	folder, err := os.MkdirTemp("", "godags-")
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

		// Other errors pass, such as too many open files.
		if err != nil {
			time.Sleep(pollInterval)
			continue
		}

		server.ServeConn(conn)
	}
}

func (m *memory) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()

	// First no new connection, then the goroutines, then miniredis: it must outlive those that call
	// it.
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
