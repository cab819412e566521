// Package engine puts the parts together. A [Session] opens the Redis that keeps runs. It submits
// runs, coordinates or follows them, and starts the workers that execute their stages.
package engine

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/redisx"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// Config is what every command needs.
type Config struct {
	Redis string // URL; empty for a private or embedded Redis
	Home  string // state folder of a private Redis

	// InProcess keeps everything in this process: Redis and the signing key. Redis, Home and the
	// environment are not used.
	InProcess bool

	Registry *tasks.Registry        // handlers of workers in this process
	Caches   map[string]cache.Cache // by task name: caches that Go code chose
	Logger   *slog.Logger

	Connections int // see [redisx.Config]
}

// Session is a connection to Redis and what is built on it. Its methods may be called from several
// goroutines.
type Session struct {
	Config
	Conn    *redisx.Conn
	Journal *journal.Journal
	Fleet   *fleet.Fleet
	Stores  *values.Stores

	transfers redis.UniversalClient // of Stores
	signing   func() (signing, error)
	specs     specs
}

// signing is what needs the key.
type signing struct {
	key   sign.Key
	queue *queue.Client
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

	// Redis is watched by a hook, and this logger drops warnings that only repeat what it saw.
	cfg.Logger = conn.Logger()
	rdb := conn.Client()

	// Values have separate connections, so that heartbeats and claims never wait behind a large
	// value.
	transfers := conn.NewClient()
	s := &Session{
		Config:    cfg,
		Conn:      conn,
		Journal:   journal.New(rdb),
		Fleet:     fleet.New(rdb),
		Stores:    values.NewStores(transfers, cfg.Caches),
		transfers: transfers,
	}

	// The key is found, or made, when it is first needed: commands that only show runs make no key
	// file. It is the same from then on, since a random key would not verify what it signed before.
	keys := keyFinder{kind: conn.Kind, home: cfg.Home, random: cfg.InProcess}
	s.signing = sync.OnceValues(func() (signing, error) {
		key, err := keys.find(sign.File)
		if err != nil {
			return signing{}, err
		}
		return signing{key, queue.NewClient(rdb, key)}, nil
	})

	existing := func() (sign.Key, error) { return keys.find(sign.ReadFile) }
	if conn.Kind == redisx.InProcess {
		// The key exists in this process only, so making it early leaves nothing behind.
		existing = s.Key
	}
	s.specs = specs{journal: s.Journal, key: s.Key, existingKey: existing}
	return s, nil
}

// Key returns the key that signs and verifies what workers execute. It makes one if there is none.
func (s *Session) Key() (sign.Key, error) {
	signing, err := s.signing()
	return signing.key, err
}

// CheckKey returns an error if there is a key that cannot be used. It makes no key.
func (s *Session) CheckKey() error {
	_, err := s.specs.existingKey()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// TaskID returns the ID under which an attempt of a stage is in its queue.
func TaskID(run, stage string, attempt int) string { return queue.TaskID(run, stage, attempt) }

// PausedQueues lists the paused queues, from which no worker takes anything.
func (s *Session) PausedQueues(ctx context.Context) ([]queue.PausedQueue, error) {
	return queue.PausedQueues(ctx, s.Conn.Client())
}

// Spec returns the pipeline of a run, in order to show it. For a run that our key did not sign, it
// takes little memory or returns [spec.ErrUnvouched].
func (s *Session) Spec(ctx context.Context, run journal.RunID) (*spec.Spec, error) {
	return s.specs.show(ctx, run)
}

// View reads a run from Redis, up to its newest entry.
func (s *Session) View(ctx context.Context, run journal.RunID) (*runstate.Run, error) {
	sp, err := s.Spec(ctx, run)
	if err != nil {
		return nil, err
	}
	return runstate.Load(ctx, s.Journal, run, sp)
}

// Close closes the connection. It stops a private Redis that no other process uses.
func (s *Session) Close() error { return errors.Join(s.transfers.Close(), s.Conn.Close()) }

// External reports whether a URL named the Redis. Other processes may have workers there.
func (s *Session) External() bool { return s.Conn.Kind == redisx.External }

// Keeps reports whether later commands can see the runs of this session.
func (s *Session) Keeps() bool { return s.Conn.Kind != redisx.InProcess }

// ErrStateLost says that Redis lost an active run.
var ErrStateLost = errors.New("state lost: Redis does not have the run any more")

// Home returns the state folder of a private Redis: GODAGS_HOME, or .godags in the working
// directory.
func Home() string {
	if home := os.Getenv("GODAGS_HOME"); home != "" {
		return home
	}
	return ".godags"
}
