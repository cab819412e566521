package godags_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/godags/godags"
	"github.com/godags/godags/cache"
	"github.com/godags/godags/internal/redistest"
	"github.com/godags/godags/tasks"
)

// openClient returns a client with a worker and a coordinator that stop when the test ends.
func openClient(t *testing.T, pipelines ...*godags.Pipeline) *godags.Client {
	t.Helper()
	t.Setenv("GODAGS_KEY", "the key of these tests")
	client, err := godags.Open(t.Context(), redistest.Start(t).URL(), godags.Concurrency(2))
	if err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- client.Worker(pipelines...).Run(ctx) }()
	go func() { done <- client.Coordinator().Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, <-done, client.Close()); err != nil {
			t.Error(err)
		}
	})
	return client
}

func TestClient_SubmitsFollowsAndShowsARun(t *testing.T) {
	p := godags.New("greet")
	name := godags.NewParam(p, "name", "a stranger")
	hello := godags.Produce(p, "hello", func(ctx context.Context) (string, error) {
		who, err := name.Get(ctx)
		godags.Log(ctx).Info("greeting", "who", who)
		return "hello " + who, err
	})
	client := openClient(t, p)

	for range 2 { // the second time is a repetition after a lost answer
		id, err := client.Submit(t.Context(), p, godags.RunID("greet-1"), godags.Params(map[string]any{"name": "Ada"}))
		if err != nil || id != "greet-1" {
			t.Fatalf("got %q, %v", id, err)
		}
	}
	var types []string
	for event, err := range client.Follow(t.Context(), "greet-1") {
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, event.Type)
	}
	if want := []string{"run.submitted", "stage.started", "stage.succeeded", "run.finished"}; !slices.Equal(types, want) {
		t.Errorf("events are %q, want %q", types, want)
	}

	report, err := client.Wait(t.Context(), "greet-1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := godags.Result(report, hello); err != nil || got != "hello Ada" {
		t.Errorf("got %q, %v", got, err)
	}
	var log bytes.Buffer
	if err := client.Logs(t.Context(), &log, "greet-1", "hello", true); err != nil || !strings.Contains(log.String(), "msg=greeting who=Ada") {
		t.Errorf("the log is %q, %v", &log, err)
	}
	list, err := client.List(t.Context(), godags.ListOptions{Pipeline: "greet", State: "succeeded"})
	if err != nil || len(list) != 1 || list[0].ID != "greet-1" {
		t.Errorf("listed are %+v, %v", list, err)
	}
}

func TestClient_SaysThatARunIsUnknown(t *testing.T) {
	client := openClient(t)
	_, waitErr := client.Wait(t.Context(), "none")
	_, statusErr := client.Status(t.Context(), "none")
	var followErr error
	for _, err := range client.Follow(t.Context(), "none") {
		followErr = err
	}
	for name, err := range map[string]error{
		"Wait": waitErr, "Status": statusErr, "Follow": followErr,
		"Cancel": client.Cancel(t.Context(), "none", "enough"),
		"Retry":  client.Retry(t.Context(), "none"),
		"Logs":   client.Logs(t.Context(), new(bytes.Buffer), "none", "a", true),
	} {
		if !errors.Is(err, godags.ErrUnknownRun) {
			t.Errorf("%s: got %v, want ErrUnknownRun", name, err)
		}
	}
}

// The stage fails once; after the retry it succeeds.
func TestClient_RetriesWhatFailed(t *testing.T) {
	attempts := make(chan int, 2)
	p := godags.New("flaky")
	p.Do("flaky", func(ctx context.Context) error {
		info, _ := godags.InfoOf(ctx)
		if attempts <- info.Attempt; info.Attempt == 1 {
			return errors.New("not yet")
		}
		return nil
	})
	client := openClient(t, p)

	id, err := client.Submit(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	var failed *godags.RunError
	if _, err := client.Wait(t.Context(), id); !errors.As(err, &failed) {
		t.Fatalf("got %v, want a RunError", err)
	}
	if status, err := client.Status(t.Context(), id); err != nil || len(status.Failures) != 1 || status.Failures[0].Message != "not yet" {
		t.Errorf("got %+v, %v", status, err)
	}
	if err := client.Retry(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if report, err := client.Wait(t.Context(), id); err != nil || report.State != "succeeded" {
		t.Errorf("got %+v, %v", report, err)
	}
}

func TestRun_ErrorsUnwrapToWhatTheFunctionReturned(t *testing.T) {
	p := godags.New("p")
	p.Do("open", func(context.Context) error { return &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist} })
	_, err := run(t, p)
	var path *fs.PathError
	if !errors.As(err, &path) || !errors.Is(err, fs.ErrNotExist) || path.Path != "x" {
		t.Errorf("got %v, want the error of the function", err)
	}
}

func TestResult_DecodesWithTheCodecOfTheStage(t *testing.T) {
	type pair struct{ A, B int }
	p := godags.New("p")
	byJSON := godags.Produce(p, "json", func(context.Context) (pair, error) { return pair{1, 2}, nil })
	byGob := godags.Produce(p, "gob", func(context.Context) (pair, error) { return pair{3, 4}, nil }, godags.Codec(cache.Gob))
	byRaw := godags.Produce(p, "raw", func(context.Context) ([]byte, error) { return []byte("\xff\x00"), nil }, godags.Codec(cache.Raw))
	text := godags.Produce(p, "text", func(context.Context) ([]byte, error) { return []byte(`{"a": 1}`), nil }, godags.Codec(cache.Raw))
	large := godags.Produce(p, "large", func(context.Context) ([]int, error) { return make([]int, 100_000), nil })
	inner := godags.Produce(p, "inner", func(context.Context) (int, error) { return 1, nil })
	godags.Then(p, "outer", func(_ context.Context, n int) (int, error) { return n, nil }, inner)
	report, err := run(t, p)
	mustSucceed(t, report, err)

	if got, err := godags.Result(report, byJSON); err != nil || got != (pair{1, 2}) {
		t.Errorf("JSON: got %v, %v", got, err)
	}
	if got, err := godags.Result(report, byGob); err != nil || got != (pair{3, 4}) {
		t.Errorf("Gob: got %v, %v", got, err)
	}
	if got, err := godags.Result(report, byRaw); err != nil || string(got) != "\xff\x00" {
		t.Errorf("Raw: got %q, %v", got, err)
	}
	if got, err := godags.Result(report, text); err != nil || string(got) != `{"a": 1}` {
		t.Errorf("Raw JSON: got %q, %v", got, err)
	}
	if got, err := godags.Result(report, large); err != nil || len(got) != 100_000 {
		t.Errorf("large: got %d, %v", len(got), err)
	}
	if _, err := godags.Result(report, inner); err == nil || !strings.Contains(err.Error(), `result of stage "inner"`) {
		t.Errorf("a stage that is no sink: %v", err)
	}
}

func TestCollect_TakesAnyNumberOfInputs(t *testing.T) {
	p := godags.New("p")
	var parts []godags.Output[int]
	for _, name := range []string{"a", "b", "c"} {
		parts = append(parts, godags.Produce(p, name, func(context.Context) (int, error) { return len(parts), nil }))
	}
	all := godags.Collect(p, "all", func(_ context.Context, n []int) (int, error) { return len(n), nil }, parts)
	none := godags.Collect(p, "none", func(_ context.Context, n []int) (int, error) { return len(n), nil }, nil)
	report, err := run(t, p)
	mustSucceed(t, report, err)
	if got, err := godags.Result(report, all); err != nil || got != 3 {
		t.Errorf("got %d, %v; want 3", got, err)
	}
	if got, err := godags.Result(report, none); err != nil || got != 0 {
		t.Errorf("got %d, %v; want 0", got, err)
	}
}

func TestClient_ErrorsUnwrapToWhatTheFunctionReturned(t *testing.T) {
	p := godags.New("p")
	p.Do("open", func(context.Context) error { return fs.ErrNotExist })
	client := openClient(t, p)
	id, err := client.Submit(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Wait(t.Context(), id); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want the error of the function", err)
	}
}

func TestMiddleware_OfARunIsOutsideThatOfItsPipeline(t *testing.T) {
	var calls []string
	trace := func(name string) godags.Middleware {
		return func(next tasks.Handler) tasks.Handler {
			return tasks.HandlerFunc(func(ctx context.Context, s *tasks.Stage) error {
				calls = append(calls, name+" "+s.Name)
				return next.Handle(ctx, s)
			})
		}
	}
	p := godags.New("p", trace("pipeline"))
	p.Do("do", func(context.Context) error { calls = append(calls, "function"); return nil })
	report, err := run(t, p, trace("outer"), trace("inner"))
	mustSucceed(t, report, err)
	if want := []string{"outer do", "inner do", "pipeline do", "function"}; !slices.Equal(calls, want) {
		t.Errorf("got %q, want %q", calls, want)
	}
}
