package godags_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What fits and what does not is a promise of the types. A program that breaks it must be refused
// by the compiler, and not when it runs.
func TestAPI_CompilesOnlyWhatFits(t *testing.T) {
	const program = `package main

import (
	"context"
	"time"

	"github.com/godags/godags"
	"github.com/godags/godags/tasks"
)

func use(ctx context.Context, p *godags.Pipeline, c *godags.Client, number godags.Output[int], list godags.Output[[]int]) {
	do := func(context.Context) error { return nil }
	one := func(context.Context) (int, error) { return 1, nil }
	text := func(context.Context, int) (string, error) { return "", nil }
	join := func(context.Context, []int) (int, error) { return 0, nil }
	save := func(context.Context, int) error { return nil }
	maybe := func(context.Context, *int) error { return nil }
	with := func(context.Context, int, string) (string, error) { return "", nil }
	word := godags.Then(p, "word", text, number)
	trace := func(next tasks.Handler) tasks.Handler { return next }
	several := []godags.Output[int]{number}
	report, _ := godags.Run(ctx, p)
	_, _, _, _, _, _, _, _ = do, one, text, join, trace, several, report, time.Second
	_, _, _, _ = save, maybe, with, word
	_ = %s
}
`
	check := compiler(t)
	for _, test := range []struct {
		use      string
		compiles bool
	}{
		// Values on edges.
		{`godags.Then(p, "s", text, number)`, true},
		{`godags.Then(p, "s", text, list)`, false},
		{`godags.Then(p, "s", join, list)`, true},
		{`godags.Map(p, "s", text, list)`, true},
		{`godags.Map(p, "s", text, number)`, false},
		{`godags.Map(p, "s", join, list)`, false},
		{`godags.Collect(p, "s", join, several)`, true},
		{`godags.Collect(p, "s", text, several)`, false},
		{`godags.Sink(p, "s", save, number)`, true},
		{`godags.Sink(p, "s", save, list)`, false},
		{`godags.Sink(p, "s", text, number)`, false},
		{`godags.Then(p, "s", text, godags.Sink(p, "save", save, number))`, false},
		{`godags.MapWith(p, "s", with, list, word)`, true},
		{`godags.MapWith(p, "s", with, list, number)`, false},
		{`godags.MapWith(p, "s", text, list, word)`, false},
		{`godags.Sink(p, "s", maybe, godags.Optional(number))`, true},
		{`godags.Sink(p, "s", save, godags.Optional(number))`, false},
		{`godags.Map(p, "s", text, godags.Optional(list))`, false},
		{`func() (int, error) { return godags.Result(report, number) }`, true},
		{`func() (string, error) { return godags.Result(report, number) }`, false},

		// Options of stages suit New as defaults, and Map.
		{`p.Do("s", do, godags.Retries(1), godags.Backoff{Initial: time.Second}, godags.Queue("gpu"))`, true},
		{`godags.New("p", godags.Retries(1), godags.Backoff{Initial: time.Second}, godags.Queue("gpu"))`, true},
		{`godags.Map(p, "s", text, list, godags.Retries(1), godags.Backoff{}, godags.Queue("gpu"))`, true},
		{`godags.Collect(p, "s", join, several, godags.Retries(1))`, true},
		{`p.Command("s", godags.Command{}, godags.Retries(1))`, true},

		// After concerns one stage, MaxParallel only those made by Map.
		{`godags.Produce(p, "s", one, godags.After(number, list))`, true},
		{`godags.Map(p, "s", text, list, godags.After(number))`, true},
		{`godags.New("p", godags.After(number))`, false},
		{`godags.Map(p, "s", text, list, godags.MaxParallel(2))`, true},
		{`godags.MapWith(p, "s", with, list, word, godags.MaxParallel(2))`, true},
		{`godags.Sink(p, "s", save, number, godags.MaxParallel(2))`, false},
		{`p.Do("s", do, godags.MaxParallel(2))`, false},
		{`godags.Then(p, "s", text, number, godags.MaxParallel(2))`, false},
		{`godags.New("p", godags.MaxParallel(2))`, false},

		// Options of the whole run belong to the pipeline.
		{`godags.New("p", godags.RunTimeout(time.Second), godags.OnFailureStop())`, true},
		{`p.Do("s", do, godags.RunTimeout(time.Second))`, false},
		{`p.Do("s", do, godags.OnFailureStop())`, false},

		// Options of one run.
		{`func() { godags.Run(ctx, p, godags.Redis("r"), godags.RunID("r"), godags.Keep(0), godags.Params(nil)) }`, true},
		{`func() { godags.Run(ctx, p, godags.Home("h"), godags.Concurrency(1), godags.Grace(0), godags.Logger(nil)) }`, true},
		{`func() { godags.Run(ctx, p, godags.Retries(1)) }`, false},
		{`func() { godags.Run(ctx, p, godags.Queues("gpu")) }`, false},
		{`func() { c.Submit(ctx, p, godags.RunID("r"), godags.Keep(0), godags.Params(nil)) }`, true},
		{`func() { c.Submit(ctx, p, godags.Concurrency(1)) }`, false},
		{`func() { c.Submit(ctx, p, godags.Redis("r")) }`, false},
		{`func() { c.Submit(ctx, p, godags.Home("h")) }`, false},

		// Options of a client.
		{`func() { godags.Open(ctx, "r", godags.Concurrency(1), godags.Grace(0), godags.Logger(nil)) }`, true},
		{`func() { godags.Open(ctx, "r", godags.Queues("gpu"), godags.WorkerName("w")) }`, true},
		{`func() { godags.Open(ctx, "r", godags.RunID("r")) }`, false},
		{`func() { godags.Open(ctx, "r", godags.Redis("r")) }`, false},

		// Middleware wraps a pipeline, a run, or all that a client executes.
		{`godags.New("p", godags.Middleware(trace))`, true},
		{`func() { godags.Run(ctx, p, godags.Middleware(trace)) }`, true},
		{`func() { godags.Open(ctx, "r", godags.Middleware(trace)) }`, true},
		{`p.Do("s", do, godags.Middleware(trace))`, false},
	} {
		err := check(fmt.Sprintf(program, test.use))
		if test.compiles && err != nil {
			t.Errorf("%s: got %v, want that it compiles", test.use, err)
		}
		if !test.compiles && err == nil {
			t.Errorf("%s: it compiles", test.use)
		}
		// A snippet that is wrong for another reason would prove nothing.
		if err != nil && !strings.Contains(err.Error(), "cannot use") && !strings.Contains(err.Error(), "does not match") {
			t.Errorf("%s: got another error: %v", test.use, err)
		}
	}
}

// compiler returns a function that checks the types of a program that imports this module.
func compiler(t *testing.T) func(program string) error {
	t.Helper()
	// The build cache has what the compiler wrote about each package: reading that takes
	// milliseconds, while checking the sources of all dependencies takes seconds.
	out, err := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		exports[path] = file
	}

	files := token.NewFileSet()
	imports := importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})
	return func(program string) error {
		file, err := parser.ParseFile(files, "main.go", bytes.NewBufferString(program), 0)
		if err != nil {
			return err
		}
		config := types.Config{Importer: imports}
		_, err = config.Check("main", files, []*ast.File{file}, nil)
		return err
	}
}
