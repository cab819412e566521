// Package engine puts the parts together: a Redis to keep the run in, workers, and a coordinator
// that drives it.
package engine

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/redisx"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// Config is what every command needs.
type Config struct {
	Redis string // URL; empty for a Redis of our own
	Home  string // folder for the state of a Redis of our own

	// InProcess keeps everything in this process: Redis and the signing key. Redis and Home are not
	// used, nor is the environment.
	InProcess bool

	Registry *tasks.Registry        // what workers in this process can do
	Caches   map[string]cache.Cache // by task: caches that Go code chose
	Logger   *slog.Logger

	Connections int // see [redisx.Config]
}

// Session is a connection to Redis and what is built on it.
type Session struct {
	Config
	Conn    *redisx.Conn
	Journal *journal.Journal
	Fleet   *fleet.Fleet
	Stores  *values.Stores
	// signs and verifies what workers execute; it is looked for, or made, when it is first asked
	// for
	Key       func() (sign.Key, error)
	transfers redis.UniversalClient // of Stores
	queue     *queue.Client         // nil until Key was asked for: reading needs none
}

// Open connects. The caller closes the session.
func Open(ctx context.Context, cfg Config) (*Session, error) {
	conn, err := redisx.Open(ctx, redisx.Config{
		URL:         cfg.Redis,
		InProcess:   cfg.InProcess,
		Home:        cfg.Home,
		Connections: cfg.Connections,
		Logger:      cfg.Logger,
	})
	if err != nil {
		return nil, err
	}

	cfg.Logger = conn.Logger()
	rdb := conn.Client()

	// values have connections of their own, so that nothing else waits for one
	transfers := conn.NewClient()
	s := &Session{Config: cfg, Conn: conn, Journal: journal.New(rdb), Fleet: fleet.New(rdb), Stores: values.NewStores(transfers, cfg.Caches), transfers: transfers}
	s.Key = sync.OnceValues(func() (sign.Key, error) {
		find := func() (sign.Key, error) { return findKey(conn.Kind, cfg.Home, sign.File) }
		if cfg.InProcess {
			find = sign.Random
		}
		key, err := find()
		s.queue = queue.NewClient(rdb, key)
		return key, err
	})

	return s, nil
}

// TaskID returns the ID under which an attempt of a stage is in its queue.
func TaskID(run, stage string, attempt int) string { return queue.TaskID(run, stage, attempt) }

// PausedQueues lists the queues that somebody has paused: no worker takes anything from them.
func (s *Session) PausedQueues(ctx context.Context) ([]queue.PausedQueue, error) {
	return queue.PausedQueues(ctx, s.Conn.Client())
}

// Close ends the connection, and a Redis of our own if nobody else uses it.
func (s *Session) Close() error { return errors.Join(s.transfers.Close(), s.Conn.Close()) }

// External reports whether Redis was given by URL: then it may have workers that are not ours.
func (s *Session) External() bool { return s.Conn.Kind == redisx.External }

// Keeps reports whether runs are still known to later commands.
func (s *Session) Keeps() bool { return s.Conn.Kind != redisx.InProcess }

// ErrStateLost says that Redis has lost the run while it was going on.
var ErrStateLost = errors.New("state lost: Redis does not have the run any more")

// Home returns the folder for the state of a Redis of our own: GODAGS_HOME, or .godags in the
// working directory.
func Home() string {
	if home := os.Getenv("GODAGS_HOME"); home != "" {
		return home
	}
	return ".godags"
}
