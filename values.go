package godags

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/tasks"
)

// ErrNotInStage says that a function which needs the context of a stage was called with another
// context.
var ErrNotInStage = errors.New("godags: the context is not that of a stage")

type stageKey struct{}

func codecOf(ctx context.Context) cache.Codec {
	if s, ok := ctx.Value(stageKey{}).(*Stage); ok {
		return s.codec
	}
	return cache.JSON
}

// Get returns the value that a stage of the same run stored under key. A missing key gives an error
// that names key, run and stage, and for which errors.Is(err, [cache.ErrNotFound]) holds. Only the
// values of stages that this one depends on are sure to be there.
func Get[T any](ctx context.Context, key string) (v T, err error) {
	s := tasks.FromContext(ctx)
	if s == nil {
		return v, fmt.Errorf("get %q: %w", key, ErrNotInStage)
	}

	// Values adds the run to the key, so that runs cannot see each other.
	value, err := s.Values.Get(ctx, key)
	if err != nil {
		return v, fmt.Errorf("get %q: %w", key, err)
	}
	// A stored value names its codec. The codec of this stage is passed because a user's own codec
	// is not among the built-in ones.
	if err := cache.Unmarshal(value, &v, codecOf(ctx)); err != nil {
		return v, fmt.Errorf("get %q: %w", key, NoRetry(err))
	}

	return v, nil
}

// Put stores a value under key for other stages of the same run, and replaces what was there. Runs
// do not see each other's values. A value too large for the cache gives an error for which
// errors.Is(err, [cache.ErrTooLarge]) holds, and stores nothing. That error, and the one about a
// value that the stage's [Codec] cannot carry, are final: see [ErrNoRetry].
func Put[T any](ctx context.Context, key string, v T) error {
	s := tasks.FromContext(ctx)
	if s == nil {
		return fmt.Errorf("put %q: %w", key, ErrNotInStage)
	}

	value, err := cache.Marshal(codecOf(ctx), v)
	if err = NoRetry(err); err == nil {
		err = s.Values.Put(ctx, key, value)
	}

	// The value would be too large in the next attempt, too.
	if errors.Is(err, cache.ErrTooLarge) {
		err = NoRetry(err)
	}
	if err != nil {
		return fmt.Errorf("put %q: %w", key, err)
	}

	return nil
}

// Delete removes what is stored under key. It returns nil if there is nothing.
func Delete(ctx context.Context, key string) error {
	s := tasks.FromContext(ctx)
	if s == nil {
		return fmt.Errorf("delete %q: %w", key, ErrNotInStage)
	}
	if err := s.Values.Delete(ctx, key); err != nil {
		return fmt.Errorf("delete %q: %w", key, err)
	}
	return nil
}

// Printf writes to the output of the stage, which [Client.Logs] and `logs` show. The last line also
// stands in the [Event] that ends the attempt and in [StageStatus]. Outside a stage it writes
// nothing.
func Printf(ctx context.Context, format string, args ...any) {
	if s := tasks.FromContext(ctx); s != nil {
		fmt.Fprintf(s.Log, format, args...)
	}
}

// Secret returns a secret that the stage names in [Secrets]. Do not store it or return it as an
// output: only logs and errors are masked.
func Secret(ctx context.Context, name string) (string, error) {
	s := tasks.FromContext(ctx)
	if s == nil {
		return "", fmt.Errorf("secret %q: %w", name, ErrNotInStage)
	}

	// Only declared secrets are there: what is not declared would not be masked in logs.
	value, ok := s.Secrets[name]
	if !ok {
		return "", fmt.Errorf("secret %q: stage %q does not name it in the option Secrets", name, s.Name)
	}

	return value, nil
}

// ErrNoRetry in the chain of an error says that the stage is not to be executed again, however many
// [Retries] it has left.
var ErrNoRetry = tasks.ErrNoRetry

// NoRetry wraps err, with the same text, so that errors.Is(err, [ErrNoRetry]) is true. NoRetry(nil)
// is nil.
func NoRetry(err error) error {
	if err == nil {
		return nil
	}
	return tasks.NoRetry(err)
}

// Info says which attempt of which stage a context belongs to.
type Info struct {
	Run, Pipeline, Stage string
	Attempt              int             // 1 for the first
	Worker               string          // ID of the worker that executes it
	Item                 json.RawMessage // element of an instance made by Map; else nil
	Index                int             // of that element, 0 for the first
}

// InfoOf returns the info of the stage that ctx belongs to, and false outside a stage.
func InfoOf(ctx context.Context) (Info, bool) {
	s := tasks.FromContext(ctx)
	if s == nil {
		return Info{}, false
	}
	return Info{s.Run, s.Pipeline, s.Name, s.Attempt, s.Worker, s.Item, s.Index}, true
}
