// Package redisx finds a Redis and connects to it: the one that a URL names, or a private
// redis-server that all commands with the same state folder share. Without an installed
// redis-server, it is a Redis inside this process.
package redisx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// Config says which Redis to open.
type Config struct {
	// URL of an existing Redis: redis://user:password@host:port/db,
	// rediss://... (TLS), unix:///path/to/socket?db=0, or
	// redis-sentinel://user:password@host:port,host:port/name/db
	// (rediss-sentinel:// with TLS). Connection options of go-redis may follow
	// as query parameters (pool_size=20, read_timeout=3s), for TLS the files
	// ca, cert and key, and sentinel_username and sentinel_password.
	// Empty means an embedded Redis.
	URL string
	// InProcess asks for a Redis inside this process. It touches no file, no
	// environment and no network. URL and Home are not used.
	InProcess bool
	// Home is the state folder in which the private redis-server lives.
	// Default ".godags".
	Home string
	// Connections is how many commands may wait for an answer of a Redis given by
	// URL at once, unless the URL says so. Default: go-redis' own, 10 per core.
	Connections int
	// Logger is told when Redis cannot be reached any more, and when it
	// answers again. Default: none.
	Logger *slog.Logger
}

// Kind is where a Redis runs.
type Kind int

const (
	External  Kind = iota // given by URL
	Private               // a redis-server that godags starts, in the state folder
	InProcess             // inside this process: nothing survives it
)

func (k Kind) String() string {
	switch k {
	case External:
		return "external"
	case Private:
		return "private"
	case InProcess:
		return "in-process"
	}

	return fmt.Sprintf("Kind(%d)", int(k))
}

// Conn is an open Redis. Its methods may be called from several goroutines.
type Conn struct {
	Kind Kind
	// URL reaches the same Redis from a child process. It may hold a password:
	// pass it on by environment, never by argv. Empty for InProcess: see Share.
	URL string
	// Note is one line for the user: what was opened, and what survives.
	// It holds no password.
	Note string
	// Presence is what a child process that uses a Private Redis inherits, so
	// that the server stays as long as the child does. Nil for others.
	Presence *os.File

	target  target
	client  *redis.Client
	watch   *watch
	memory  *memory      // InProcess only
	release func() error // gives up the Redis behind the client
	close   func() error
}

// Open connects to the Redis that cfg names and checks that it answers and is
// at least version 6.2. It waits up to 5 s for an answer, and up to 30 s for a
// Redis that is still loading its data set.
//
// Errors: *URLError when cfg.URL cannot be used, *UnreachableError when there
// is no usable Redis behind it, or the cause of a cancelled ctx.
//
// Open disables the log lines that go-redis writes to stderr.
func Open(ctx context.Context, cfg Config) (*Conn, error) {
	// Every failure in those lines is also returned as an error.
	logging.Disable()
	if cfg.Home == "" {
		cfg.Home = ".godags"
	}

	c, err := open(ctx, cfg)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return nil, fmt.Errorf("open Redis: %w", context.Cause(ctx))
	}
	if err == nil {
		c.watch = newWatch(cfg.Logger)
		c.client.AddHook(c.watch)
	}

	return c, err
}

func open(ctx context.Context, cfg Config) (*Conn, error) {
	if cfg.InProcess {
		return openInProcess(ctx, "none was asked for")
	}

	if cfg.URL != "" {
		return openExternal(ctx, cfg)
	}

	binary, lack := findServer(ctx)
	if binary == "" {
		return openInProcess(ctx, lack)
	}

	return openPrivate(ctx, cfg.Home, binary)
}

func openExternal(ctx context.Context, cfg Config) (*Conn, error) {
	t, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}

	if t.PoolSize == 0 {
		t.PoolSize = cfg.Connections
	}

	c, info, err := connect(ctx, t, func() error { return nil })
	if err != nil {
		return nil, err
	}

	c.Kind = External
	c.URL = cfg.URL
	c.Note = fmt.Sprintf("%s at %s", info.name(), t.redacted())
	return c, nil
}

// connect returns a Conn whose Redis has answered. After an error, connect has called release
// itself.
func connect(ctx context.Context, t target, release func() error) (*Conn, info, error) {
	c := &Conn{target: t, client: t.client(), release: release}
	c.close = sync.OnceValue(func() error {
		return errors.Join(c.client.Close(), c.release())
	})
	info, err := greet(ctx, c.client)
	if err != nil {
		return nil, nil, errors.Join(unreachable(t, err), c.close())
	}

	return c, info, nil
}

// Client returns the client that all users of this Conn share. Close closes it.
func (c *Conn) Client() redis.UniversalClient { return c.client }

// NewClient returns another client of the same Redis, with a separate pool and separate hooks. The
// caller closes it before the Conn.
func (c *Conn) NewClient() redis.UniversalClient {
	client := c.target.client()
	client.AddHook(c.watch)
	return client
}

// Logger returns cfg.Logger for all users of this Conn. It drops their warnings that only repeat
// that Redis is unreachable, or does not accept writes.
func (c *Conn) Logger() *slog.Logger { return slog.New(quiet{c.watch.log.Handler(), c.watch}) }

// Share returns a URL at which child processes reach this Redis: Conn.URL, or for a Redis inside
// this process a new unix socket in a private folder. Close removes the socket.
func (c *Conn) Share(ctx context.Context) (string, error) {
	if c.memory == nil {
		return c.URL, nil
	}
	return c.memory.share(ctx)
}

// Exposed reports whether a password goes to another machine without TLS.
func (c *Conn) Exposed() bool { return c.target.exposed() }

// Close closes the shared client and gives up the Redis behind it: the last
// user of a private redis-server stops it. Closing again returns the same.
func (c *Conn) Close() error { return c.close() }
