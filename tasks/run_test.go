package tasks

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
)

var errFake = errors.New("bad data")

func run(ctx context.Context, f HandlerFunc) (log string, err error) {
	var b LogBuffer
	err = Run(ctx, f, &Stage{Name: "train", Log: &b})
	return string(b.Bytes()), err
}

func TestRunGivesTheHandlerItsStage(t *testing.T) {
	_, err := run(t.Context(), func(ctx context.Context, s *Stage) error {
		if FromContext(ctx) != s || s.Name != "train" {
			t.Error("the context does not carry the stage")
		}
		return errFake
	})
	if err != errFake {
		t.Errorf("got %v, want what the handler returned", err)
	}
	if FromContext(t.Context()) != nil {
		t.Error("a context outside of a stage has one")
	}
}

func explode() { panic("too many\nwines") }

func TestPanicIsAFailureWithItsStackInTheLog(t *testing.T) {
	log, err := run(t.Context(), func(context.Context, *Stage) error { explode(); return nil })
	var p *PanicError
	if !errors.As(err, &p) || p.Value != "too many\nwines" || err.Error() != "panic: too many" {
		t.Fatalf("got %v", err)
	}
	if !strings.HasPrefix(log, "panic: too many\nwines\n") || !strings.Contains(log, "tasks.explode") {
		t.Errorf("the log has no stack:\n%s", log)
	}
	if strings.Contains(log, "runtime/debug") || strings.Contains(log, "tasks.HandlerFunc") {
		t.Errorf("the log has more than the frames of the handler:\n%s", log)
	}
}

func TestPanicWithAnErrorIsThatError(t *testing.T) {
	if _, err := run(t.Context(), func(context.Context, *Stage) error { panic(errFake) }); !errors.Is(err, errFake) {
		t.Errorf("got %v", err)
	}
	var nilError *runtime.PanicNilError
	if _, err := run(t.Context(), func(context.Context, *Stage) error { panic(nil) }); !errors.As(err, &nilError) {
		t.Errorf("got %v for panic(nil)", err)
	}
	var nilMap map[string]int
	if _, err := run(t.Context(), func(context.Context, *Stage) error { nilMap["x"] = 1; return nil }); !strings.HasPrefix(err.Error(), "panic: assignment to entry in nil map") {
		t.Errorf("got %v for a write to a nil map", err)
	}
}

func TestPanicWhoseStackCannotBeLogged(t *testing.T) {
	r, w := io.Pipe()
	r.CloseWithError(errFake)
	err := Run(t.Context(), HandlerFunc(func(context.Context, *Stage) error { panic("x") }), &Stage{Log: w})
	var p *PanicError
	if !errors.As(err, &p) || !errors.Is(err, errFake) {
		t.Errorf("got %v, want the panic and the log's error", err)
	}
}

func TestGoexitIsAFailure(t *testing.T) {
	if _, err := run(t.Context(), func(context.Context, *Stage) error { runtime.Goexit(); return nil }); !errors.Is(err, errGoexit) {
		t.Errorf("got %v", err)
	}
}

func TestErrorAfterTheEndOfTheContextSaysWhy(t *testing.T) {
	cause := errors.New("time limit of 2s")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	for _, test := range []struct {
		returned error
		want     string
	}{
		{errFake, "time limit of 2s: bad data"},
		{ctx.Err(), "time limit of 2s: context canceled"},
		{cause, "time limit of 2s"},
	} {
		_, err := run(ctx, func(context.Context, *Stage) error { return test.returned })
		if !errors.Is(err, cause) || !errors.Is(err, test.returned) || err.Error() != test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	if _, err := run(ctx, func(context.Context, *Stage) error { return nil }); err != nil {
		t.Errorf("a handler that finished its work all the same has failed: %v", err)
	}
}

func BenchmarkRunNoop(b *testing.B) {
	s := &Stage{Log: io.Discard}
	for b.Loop() {
		if err := Run(b.Context(), noop{}, s); err != nil {
			b.Fatal(err)
		}
	}
}
