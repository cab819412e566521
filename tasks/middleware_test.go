package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

// trace returns a middleware that notes when it is entered and left.
func trace(name string, to *[]string) Middleware {
	return func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, s *Stage) error {
			*to = append(*to, name+" in")
			defer func() { *to = append(*to, name+" out") }()
			return next.Handle(ctx, s)
		})
	}
}

func TestRegistry_WrapsEveryHandlerInItsMiddleware(t *testing.T) {
	var calls []string
	r := NewRegistry()
	before := HandlerFunc(func(context.Context, *Stage) error { calls = append(calls, "before"); return nil })
	after := HandlerFunc(func(context.Context, *Stage) error { calls = append(calls, "after"); return nil })
	if err := r.Register("before", before); err != nil {
		t.Fatal(err)
	}
	r.Use(trace("outer", &calls), trace("inner", &calls))
	if err := r.Register("after", after); err != nil {
		t.Fatal(err)
	}

	for task, want := range map[string][]string{
		"before": {"outer in", "inner in", "before", "inner out", "outer out"},
		"after":  {"outer in", "inner in", "after", "inner out", "outer out"},
		"noop":   {"outer in", "inner in", "inner out", "outer out"},
	} {
		calls = nil
		h, err := r.Lookup(task)
		if err != nil {
			t.Fatal(err)
		}
		if err := Run(t.Context(), h, &Stage{}); err != nil || !slices.Equal(calls, want) {
			t.Errorf("%s: got %q, %v; want %q", task, calls, err, want)
		}
	}
}

func TestMiddleware_SeesAPanicAsAnError(t *testing.T) {
	var seen error
	var log LogBuffer
	watch := func(next Handler) Handler {
		return HandlerFunc(func(ctx context.Context, s *Stage) error {
			seen = next.Handle(ctx, s)
			return seen
		})
	}
	err := Run(t.Context(), Wrap(HandlerFunc(func(context.Context, *Stage) error { explode(); return nil }), watch), &Stage{Log: &log})
	if panicked, ok := errors.AsType[*PanicError](seen); !ok || err != seen {
		t.Errorf("the middleware got %v and the caller %v, want a PanicError for both", panicked, err)
	}
	if got := string(log.Bytes()); strings.Count(got, "tasks.explode") != 1 || strings.Contains(got, "tasks.Wrap") {
		t.Errorf("got the log\n%s\nwant the frames of the handler once", got)
	}
}

func TestMiddleware_MayPanic(t *testing.T) {
	var log LogBuffer
	broken := func(Handler) Handler {
		return HandlerFunc(func(context.Context, *Stage) error { panic("broken") })
	}
	err := Run(t.Context(), Wrap(noop{}, broken), &Stage{Log: &log})
	if _, ok := errors.AsType[*PanicError](err); !ok {
		t.Errorf("got %v, want a PanicError", err)
	}
}

// The validator of a task is hidden behind its middleware, and must still be asked.
func TestRegistry_ValidatesBehindMiddleware(t *testing.T) {
	r := NewRegistry()
	var calls []string
	r.Use(trace("outer", &calls))
	if err := r.Validate("sleep", json.RawMessage(`{"unknown": 1}`)); err == nil {
		t.Error("got no error for an unknown parameter")
	}
	if len(calls) > 0 {
		t.Errorf("checking parameters has called %q", calls)
	}
}
