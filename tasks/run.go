package tasks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
)

// errGoexit is the outcome of a handler that ended its goroutine instead of returning.
var errGoexit = errors.New("the handler called runtime.Goexit (t.FailNow does so): return an error instead")

// Run executes one attempt: it calls h with a context that carries s. A panic is returned as a
// [*PanicError], with its stack in s.Log. runtime.Goexit is an error as well. If ctx is done, the
// error wraps the context's cause in addition.
func Run(ctx context.Context, h Handler, s *Stage) error {
	// These neither panic nor call Goexit, and a goroutine would make a short command slower.
	switch h.(type) {
	case Command, noop, sleep:
		return withCause(ctx, handle(ctx, h, s))
	}

	// Goexit ends the goroutine that calls it, so the handler gets a separate one.
	done := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() { done <- err }()
		err = handle(ctx, h, s)
	}()

	return withCause(ctx, <-done)
}

func handle(ctx context.Context, h Handler, s *Stage) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = panicked(value, s)
		}
	}()
	return h.Handle(NewContext(ctx, s), s)
}

// panicked returns the error for a panic, and writes the stack to the log.
func panicked(value any, s *Stage) error {
	err := &PanicError{Value: value, Stack: debug.Stack()}
	if _, logErr := fmt.Fprintf(s.Log, "panic: %v\n\n%s", value, ownFrames(err.Stack)); logErr != nil {
		return fmt.Errorf("%w (its stack is not in the log: %w)", err, logErr)
	}
	return err
}

// ownFrames returns the frames of a stack between the panic and the call of the handler. The frames
// of godags would only distract.
func ownFrames(stack []byte) []byte {
	// The last panic is the one that was recovered: deferred functions may have panicked before.
	// Two lines describe it: the call, and its place in the source.
	begin := 0
	if i := bytes.LastIndex(stack, []byte("\npanic(")); i >= 0 {
		begin = i + 1
		for range 2 {
			begin += bytes.IndexByte(stack[begin:], '\n') + 1
		}
	}

	// Below are the wrappers of functions in package godags, or HandlerFunc, or handle itself.
	const module = "github.com/godags/godags"
	own := stack[begin:]
	for _, ours := range []string{module + ".", module + "/tasks.HandlerFunc", module + "/tasks.handle"} {
		if i := bytes.Index(own, []byte("\n"+ours)); i >= 0 {
			own = own[:i+1]
		}
	}

	return own
}

// withCause adds the cause of ctx to an error that does not contain it.
func withCause(ctx context.Context, err error) error {
	// Handlers often return "context canceled", which does not say that the run was cancelled or
	// that the time limit was reached.
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// PanicError is a panic of a handler.
type PanicError struct {
	Value any    // the argument of panic
	Stack []byte // the stack of the goroutine, as text
}

// Error returns the first line of the panic.
func (e *PanicError) Error() string {
	line, _, _ := strings.Cut(fmt.Sprint(e.Value), "\n")
	return "panic: " + line
}

// Unwrap returns the panic's value if it is an error, else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
