package godags_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

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
	var types []godags.EventType
	for event, err := range client.Follow(t.Context(), "greet-1") {
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, event.Type)
	}
	if want := []godags.EventType{"run.submitted", "stage.started", "stage.succeeded", "run.finished"}; !slices.Equal(types, want) {
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
	if err := client.Logs(t.Context(), &log, "greet-1", "hello", godags.LogOptions{Follow: true}); err != nil || !strings.Contains(log.String(), "msg=greeting who=Ada") {
		t.Errorf("the log is %q, %v", &log, err)
	}
	list, err := client.List(t.Context(), godags.ListOptions{Pipeline: "greet", State: "succeeded"})
	if err != nil || len(list) != 1 || list[0].ID != "greet-1" {
		t.Errorf("listed are %+v, %v", list, err)
	}
}

// callsOf calls every method that takes a run ID, and returns the errors.
func callsOf(t *testing.T, client *godags.Client, id string) map[string]error {
	t.Helper()
	_, waitErr := client.Wait(t.Context(), id)
	_, statusErr := client.Status(t.Context(), id)
	_, reportErr := client.Report(t.Context(), id)
	_, stagesErr := client.Stages(t.Context(), id)
	var followErr error
	for _, err := range client.Follow(t.Context(), id) {
		followErr = err
	}
	return map[string]error{
		"Wait": waitErr, "Status": statusErr, "Report": reportErr, "Stages": stagesErr, "Follow": followErr,
		"Cancel": client.Cancel(t.Context(), id, "enough"),
		"Retry":  client.Retry(t.Context(), id),
		"Logs":   client.Logs(t.Context(), io.Discard, id, "a", godags.LogOptions{Follow: true}),
	}
}

// IDs reach a service from its users. A prefix must not show them a run of another user.
func TestClient_TakesWholeRunIDsOnly(t *testing.T) {
	p := godags.New("p")
	client := openClient(t, p)
	for _, id := range []string{"secret-1", "secret-2", "other"} {
		if _, err := client.Submit(t.Context(), p, godags.RunID(id)); err != nil {
			t.Fatal(err)
		}
	}

	for _, id := range []string{"none", "", "o", "secret", "latest", "*", "a}b", strings.Repeat("x", 1000)} {
		for name, err := range callsOf(t, client, id) {
			if !errors.Is(err, godags.ErrUnknownRun) || strings.Contains(err.Error(), "secret-") {
				t.Errorf("%s(%.20q): got %v, want ErrUnknownRun", name, id, err)
			}
		}
	}
}

// A service tells its user's mistakes from its own troubles.
func TestClient_SubmitNamesMistakesOfTheCaller(t *testing.T) {
	p := godags.New("p")
	godags.NewParam[string](p, "city")
	client := openClient(t, p)

	for name, values := range map[string]map[string]any{
		"wrong type": {"city": 3}, "missing": {}, "unknown": {"city": "Oslo", "town": "Oslo"}, "no JSON": {"city": func() {}},
	} {
		var wrong *godags.ParamError
		if _, err := client.Submit(t.Context(), p, godags.Params(values)); !errors.As(err, &wrong) || wrong.Pipeline != "p" {
			t.Errorf("%s: got %v, want a ParamError", name, err)
		}
	}

	submit := func(city string) error {
		_, err := client.Submit(t.Context(), p, godags.RunID("one"), godags.Params(map[string]any{"city": city}))
		return err
	}
	if err := errors.Join(submit("Oslo"), submit("Oslo")); err != nil {
		t.Error(err)
	}
	if err := submit("Bergen"); !errors.Is(err, godags.ErrRunExists) {
		t.Errorf("other parameters: got %v, want ErrRunExists", err)
	}
}

func TestOpen_RefusesABadKey(t *testing.T) {
	url := redistest.Start(t).URL()
	t.Setenv("GODAGS_KEY", "short")
	if _, err := godags.Open(t.Context(), url); err == nil || !strings.Contains(err.Error(), "GODAGS_KEY: a key of 5 bytes is too short") {
		t.Errorf("got %v, want an error about the key", err)
	}

	// No key yet: it is made when it is first needed.
	t.Setenv("GODAGS_KEY", "")
	folder := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", folder)
	client, err := godags.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) > 0 {
		t.Errorf("Open made %v, %v", files, err)
	}
}

func TestClient_ReportDoesNotWait(t *testing.T) {
	started := make(chan struct{})
	release := make(chan struct{})
	p := godags.New("p")
	answer := godags.Produce(p, "answer", func(context.Context) (int, error) {
		close(started)
		<-release
		return 42, nil
	})
	client := openClient(t, p)
	id, err := client.Submit(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}

	<-started
	if report, err := client.Report(t.Context(), id); report != nil || !errors.Is(err, godags.ErrActive) {
		t.Errorf("got %+v, %v; want ErrActive", report, err)
	}
	close(release)

	if _, err := client.Wait(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	report, err := client.Report(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := godags.Result(report, answer); got != 42 || err != nil {
		t.Errorf("got %d, %v; want 42", got, err)
	}
}

func TestClient_LogsShowsEachAttempt(t *testing.T) {
	p := godags.New("p")
	p.Do("flaky", func(ctx context.Context) error {
		info, _ := godags.InfoOf(ctx)
		godags.Printf(ctx, "this is attempt %d\n", info.Attempt)
		if info.Attempt == 1 {
			return errors.New("not yet")
		}
		return nil
	}, godags.Retries(1), godags.Backoff{Initial: time.Millisecond})
	client := openClient(t, p)
	id, err := client.Submit(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Wait(t.Context(), id); err != nil {
		t.Fatal(err)
	}

	for o, want := range map[godags.LogOptions]string{
		{}:             "this is attempt 2\n",
		{Attempt: 1}:   "this is attempt 1\n",
		{Attempt: 2}:   "this is attempt 2\n",
		{Follow: true}: "this is attempt 2\n",
	} {
		var log bytes.Buffer
		if err := client.Logs(t.Context(), &log, id, "flaky", o); err != nil || !strings.HasSuffix(log.String(), want) {
			t.Errorf("%+v: got %q, %v; want %q", o, &log, err, want)
		}
	}
	for o, want := range map[godags.LogOptions]string{
		{Attempt: 3}:               `stage "flaky" has no attempt 3: its last is 2`,
		{Attempt: -1}:              `stage "flaky" has no attempt -1`,
		{Attempt: 1, Follow: true}: "Attempt and Follow exclude each other",
	} {
		if err := client.Logs(t.Context(), io.Discard, id, "flaky", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", o, err, want)
		}
	}
	for _, follow := range []bool{false, true} {
		err := client.Logs(t.Context(), io.Discard, id, "flakey", godags.LogOptions{Follow: follow})
		if !errors.Is(err, godags.ErrUnknownStage) || !strings.Contains(err.Error(), `did you mean "flaky"?`) {
			t.Errorf("follow %t: got %v, want ErrUnknownStage", follow, err)
		}
	}
}

// The count of a run has the instances of a mapped stage once their number is known.
func TestClient_StatusCountsInstances(t *testing.T) {
	started := make(chan struct{}, 2)
	release := make(chan struct{})
	p := godags.New("p")
	list := godags.Produce(p, "list", func(context.Context) ([]int, error) { return []int{1, 2}, nil })
	godags.Map(p, "each", func(ctx context.Context, n int) (int, error) {
		godags.Printf(ctx, "got %d\n", n)
		started <- struct{}{}
		<-release
		return n, nil
	}, list)
	client := openClient(t, p)
	id, err := client.Submit(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}

	<-started
	<-started
	status, err := client.Status(t.Context(), id)
	if err != nil || status.Stages != (godags.Counts{Total: 4, Succeeded: 1}) || len(status.Active) != 2 {
		t.Errorf("got %+v, %v; want 4 stages of which 2 are active", status, err)
	}
	close(release)

	report, err := client.Wait(t.Context(), id)
	mustSucceed(t, report, err)
	infos, err := client.List(t.Context(), godags.ListOptions{State: godags.StateSucceeded})
	if err != nil || len(infos) != 1 || infos[0].Stages != (godags.Counts{Total: 4, Succeeded: 4}) {
		t.Errorf("listed are %+v, %v", infos, err)
	}

	stages, err := client.Stages(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, s := range stages {
		got[s.Stage] = strings.TrimSpace(s.State + " " + s.Note)
		if s.Attempt != 1 && s.Stage != "each" {
			t.Errorf("%s: attempt %d, want 1", s.Stage, s.Attempt)
		}
	}
	want := map[string]string{
		"list": "succeeded", "each[0]": "succeeded got 1", "each[1]": "succeeded got 2", "each": "succeeded",
	}
	if !maps.Equal(got, want) {
		t.Errorf("stages are %v, want %v", got, want)
	}
}

// The state must not hide that nobody cancels the run yet; the reason says what happens to it.
func TestClient_CancelOfARunWithoutCoordinatorIsShown(t *testing.T) {
	t.Setenv("GODAGS_KEY", "the key of these tests")
	client, err := godags.Open(t.Context(), redistest.Start(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	p := godags.New("p")
	p.Do("a", func(context.Context) error { return nil })
	id, err := client.Submit(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}

	reason := func() (godags.RunState, godags.ReasonCode) {
		status, err := client.Status(t.Context(), id)
		if err != nil || len(status.Waiting) != 1 {
			t.Fatalf("got %+v, %v; want a waiting stage", status, err)
		}
		return status.State, status.Waiting[0].Reason.Code
	}
	if state, code := reason(); state != godags.StateQueued || code != godags.ReasonRunQueued {
		t.Errorf("before: %s, %s", state, code)
	}
	if err := client.Cancel(t.Context(), id, "enough"); err != nil {
		t.Fatal(err)
	}
	if state, code := reason(); state != godags.StateQueued || code != godags.ReasonCancelling {
		t.Errorf("after Cancel: %s, %s; want queued, cancelling", state, code)
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
	if _, err := godags.Result(report, inner); err == nil || !strings.Contains(err.Error(), `stage "outer" depends on it`) {
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
