// Package tasks is what a stage can do: the handler contract, the registry of handlers, and the
// built-in tasks.
//
// A worker looks a stage's task up in a [Registry] and calls its [Handler] once per attempt.
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

// ErrSkip is in the chain of what a handler returns when the stage is not to be executed: it is
// skipped, which is no failure.
var ErrSkip = errors.New("skipped by its condition")

// ErrWorker is in the chain of an error that is the fault of the worker and not of the stage: a
// workspace cannot be made, or no process can be started, for lack of disk space, descriptors,
// processes or memory. The stage itself was not executed.
var ErrWorker = fault.ErrWorker

// NoRetry wraps err so that errors.Is(err, [ErrNoRetry]) is true. The text stays the same.
// NoRetry(nil) is nil.
func NoRetry(err error) error { return fault.NoRetry(err) }

// HandlerFunc is a function that is a [Handler].
type HandlerFunc func(ctx context.Context, s *Stage) error

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, s *Stage) error { return f(ctx, s) }

// Stage is what a handler is told of the attempt that it executes. It is also in the handler's
// context: see [FromContext].
type Stage struct {
	Run      string          // id of the run
	Pipeline string          // name of the pipeline
	Name     string          // name of the stage
	Attempt  int             // 1 for the first attempt
	Worker   string          // id of the worker
	Params   json.RawMessage // the stage's parameters as a JSON object, or nil
	After    []string        // names of the stages that it depends on

	Instance // the element, if the stage is an instance

	RunParams map[string]json.RawMessage // parameters of the run
	Env       map[string]string          // variables that the pipeline sets for commands
	// what the stage may know, by name; a value must not leave the worker
	Secrets map[string]string

	User *User // as whom commands run; nil is the user of the worker

	// Revoked is closed once it cannot matter any more how the attempt ends: it was given up, and
	// another may take its place. Its context is done by then. Nil, outside a worker, is never.
	Revoked <-chan struct{}

	Log    io.Writer // output of the attempt: captured, capped, shown by `logs`
	Values Values    // what the run's stages hand to each other
}

// Instance is the element that an instance of a mapped stage is for. It is empty for other stages.
type Instance struct {
	Item  json.RawMessage // the element as JSON, or nil
	Index int             // the number of the element, 0 for the first
}

// ErrNoOutput is what [Values].Output returns for a dependency that has produced no value.
var ErrNoOutput = errors.New("the stage has no output")

// Values reads and writes a run's values on behalf of one attempt. Values are the encoded form: see
// package cache for codecs.
type Values interface {
	// Output returns the value that the named dependency produced, or an error that is
	// [ErrNoOutput].
	Output(ctx context.Context, stage string) ([]byte, error)
	// SetOutput makes value the stage's own output. It is recorded together with the attempt's
	// success.
	SetOutput(value []byte)
	// Get, Put and Delete reach values by key; keys are scoped to the run.
	Get(ctx context.Context, key string) ([]byte, error)
	Put(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error
}

type contextKey struct{}

// NewContext returns a context that carries s.
func NewContext(ctx context.Context, s *Stage) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

// FromContext returns the stage that ctx belongs to, or nil outside a stage.
func FromContext(ctx context.Context) *Stage {
	s, _ := ctx.Value(contextKey{}).(*Stage)
	return s
}
