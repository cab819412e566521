// Package tasks defines the handlers of stages: the interface, the registry, middleware, and the
// built-in tasks noop, sleep and command.
//
// A worker looks up the task of a stage in a [Registry] and calls the [Handler] once for each
// attempt.
package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/godags/godags/internal/fault"
)

// Handler does the work of one attempt of one stage. It must return soon after ctx is done.
// A returned error, or a panic, is a failed attempt.
type Handler interface {
	Handle(ctx context.Context, s *Stage) error
}

// ErrNoRetry is in the chain of an error after which the stage must not be executed again, however
// many retries it has left.
var ErrNoRetry = fault.ErrNoRetry

// ErrSkip is in the chain of an error with which a handler skips its stage. A skipped stage has not
// failed.
var ErrSkip = errors.New("skipped by its condition")

// ErrWorker is in the chain of an error that is the worker's fault: it has no disk space,
// descriptors, processes or memory for a workspace or a process. The stage was not executed.
var ErrWorker = fault.ErrWorker

// NoRetry wraps err so that errors.Is(err, [ErrNoRetry]) is true. The text stays the same.
// NoRetry(nil) is nil.
func NoRetry(err error) error { return fault.NoRetry(err) }

// HandlerFunc makes a [Handler] of a function.
type HandlerFunc func(ctx context.Context, s *Stage) error

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, s *Stage) error { return f(ctx, s) }

// Stage describes the attempt that a handler executes. The handler's context carries it as well:
// see [FromContext].
type Stage struct {
	Run      string          // ID of the run
	Pipeline string          // name of the pipeline
	Name     string          // name of the stage
	Attempt  int             // 1 for the first attempt
	Worker   string          // ID of the worker
	Params   json.RawMessage // the stage's parameters as a JSON object, or nil
	After    []string        // names of the stages that it depends on

	Instance // the element, if the stage is an instance

	RunParams map[string]json.RawMessage // parameters of the run
	Env       map[string]string          // variables that the pipeline sets for commands
	Secrets   map[string]string          // by name; the values must not leave the worker

	User *User // the user that commands run as; nil is the user of the worker

	// Revoked is closed when the outcome of the attempt no longer matters, because another attempt
	// may have replaced it. The context is done by then. Outside a worker it is nil.
	Revoked <-chan struct{}

	Log    io.Writer // the output of the attempt; a part of it is kept and shown by `logs`
	Values Values    // the values of the run
}

// Instance is the element that an instance of a mapped stage is for. It is empty for other stages.
type Instance struct {
	Item  json.RawMessage // the element as JSON, or nil
	Index int             // the number of the element, 0 for the first
}

// ErrNoOutput is what [Values].Output returns for a dependency that has produced no value.
var ErrNoOutput = errors.New("the stage has no output")

// Values reads and writes a run's values for one attempt. The values are encoded: see package cache
// for codecs.
type Values interface {
	// Output returns the value that the named dependency produced, or an error that is
	// [ErrNoOutput].
	Output(ctx context.Context, stage string) ([]byte, error)
	// SetOutput sets the output of the stage. It is recorded together with the attempt's success.
	SetOutput(value []byte)
	// Get, Put and Delete read and write the values that stages store by key. Runs do not share
	// keys.
	Get(ctx context.Context, key string) ([]byte, error)
	Put(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error
}

type contextKey struct{}

// NewContext returns a context that carries s.
func NewContext(ctx context.Context, s *Stage) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

// FromContext returns the stage that ctx carries, or nil outside a stage.
func FromContext(ctx context.Context) *Stage {
	s, _ := ctx.Value(contextKey{}).(*Stage)
	return s
}
