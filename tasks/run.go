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
// [*PanicError] after its stack was written to s.Log; runtime.Goexit is an error too. An error that
// is returned once ctx is done is also the context's cause.
func Run(ctx context.Context, h Handler, s *Stage) error {
	switch h.(type) {
	case Command, noop, sleep: // ours, which return
		return withCause(ctx, handle(ctx, h, s))
	}

	done := make(chan error, 1)

	// A goroutine of its own, since nothing can stop Goexit from ending the one it is called in.
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

func panicked(value any, s *Stage) error {
	err := &PanicError{Value: value, Stack: debug.Stack()}
	if _, logErr := fmt.Fprintf(s.Log, "panic: %v\n\n%s", value, ownFrames(err.Stack)); logErr != nil {
		return fmt.Errorf("%w (its stack is not in the log: %w)", err, logErr)
	}
	return err
}

// ownFrames is the part of a stack that is not ours: what lies between the panic and the call of
// the handler.
func ownFrames(stack []byte) []byte {
	begin := 0
	if i := bytes.LastIndex(stack, []byte("\npanic(")); i >= 0 {
		begin = i + 1
		for range 2 { // the call and where it stands
			begin += bytes.IndexByte(stack[begin:], '\n') + 1
		}
	}

	own := stack[begin:]
	for _, ours := range []string{"github.com/godags/godags.", "github.com/godags/godags/tasks.HandlerFunc", "github.com/godags/godags/tasks.handle"} {
		if i := bytes.Index(own, []byte("\n"+ours)); i >= 0 {
			own = own[:i+1]
		}
	}

	return own
}

// withCause says why ctx is done in front of an error that does not.
func withCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// PanicError is a panic of a handler.
type PanicError struct {
	Value any    // what panic was called with
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
