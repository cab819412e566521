package godags_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/godags/godags"
	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/examples/simple"
	"github.com/godags/godags/internal/redistest"
)

// run runs a pipeline in this process.
func run(t *testing.T, p *godags.Pipeline, opts ...godags.RunOption) (*godags.Report, error) {
	t.Helper()
	return godags.Run(t.Context(), p, opts...)
}

func mustSucceed(t *testing.T, report *godags.Report, err error) *godags.Report {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if report.State != "succeeded" || report.Stages.Succeeded != report.Stages.Total {
		t.Fatalf("%+v", report)
	}
	return report
}

func constant[T any](v T) func(context.Context) (T, error) {
	return func(context.Context) (T, error) { return v, nil }
}

func TestRun_ExecutesSixStages(t *testing.T) {
	report, err := run(t, simple.Pipeline())
	if mustSucceed(t, report, err).Stages.Total != 6 {
		t.Fatalf("%+v", report)
	}
}

func TestRun_SucceedsWithoutStages(t *testing.T) {
	report, err := run(t, godags.New("empty"))
	mustSucceed(t, report, err)
}

func TestOutput_CarriesValuesAlongEdges(t *testing.T) {
	p := godags.New("typed")
	number := godags.Produce(p, "number", constant(20))
	text := godags.Then(p, "text", func(_ context.Context, n int) (string, error) { return fmt.Sprint(n + 1), nil }, number)
	list := godags.Join(p, "list", func(_ context.Context, n int, s string) ([]string, error) { return []string{s, fmt.Sprint(n)}, nil }, number, text)
	godags.Join3(p, "all", func(_ context.Context, n int, s string, l []string) (map[string]any, error) {
		return map[string]any{"n": n, "s": s, "l": l}, nil
	}, number, text, list)
	report, err := run(t, p)
	got := string(mustSucceed(t, report, err).Outputs["all"])
	if want := `{"l":["21","20"],"n":20,"s":"21"}`; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

func TestValues_EveryCodecAndCacheCarriesThem(t *testing.T) {
	type point struct{ X, Y int }
	mini := redistest.Mini(t)
	for name, opts := range map[string][]godags.PipelineOption{
		"default": nil,
		"gob":     {godags.Codec(cache.Gob)},
		"disk":    {godags.Values(cache.Disk(t.TempDir()))},
		"memory":  {godags.Values(cache.Memory()), godags.Codec(cache.Gob)},
		"redis":   {godags.Values(cache.Redis(mini, cache.Prefix("other:")))},
	} {
		t.Run(name, func(t *testing.T) {
			p := godags.New("codecs", opts...)
			in := godags.Produce(p, "in", constant(point{1, 2}))
			large := godags.Then(p, "large", func(ctx context.Context, v point) ([]int, error) {
				return make([]int, 200_000), godags.Put(ctx, "k", v)
			}, in)
			godags.Then(p, "out", func(ctx context.Context, l []int) (string, error) {
				v, err := godags.Get[point](ctx, "k")
				return fmt.Sprint(len(l), v), err
			}, large, godags.Codec(cache.JSON))
			report, err := run(t, p)
			if got := string(mustSucceed(t, report, err).Outputs["out"]); got != `"200000 {1 2}"` {
				t.Fatal(got)
			}
		})
	}
}

func TestValues_AStageOverridesItsPipeline(t *testing.T) {
	p := godags.New("mixed", godags.Codec(cache.Gob))
	raw := godags.Produce(p, "raw", constant([]byte{0, 255}), godags.Codec(cache.Raw), godags.Values(cache.Disk(t.TempDir())))
	godags.Then(p, "size", func(_ context.Context, b []byte) (int, error) { return len(b), nil }, raw, godags.Codec(cache.JSON))
	report, err := run(t, p)
	if got := string(mustSucceed(t, report, err).Outputs["size"]); got != "2" {
		t.Fatal(got)
	}
}

func TestGet_NamesAMissingKeyWithRunAndStage(t *testing.T) {
	p := godags.New("missing")
	var got error
	p.Do("reader", func(ctx context.Context) error {
		_, got = godags.Get[int](ctx, "nothing")
		return nil
	})
	report, err := run(t, p, godags.RunID("run-1"))
	mustSucceed(t, report, err)
	if !errors.Is(got, cache.ErrNotFound) {
		t.Fatal(got)
	}
	for _, word := range []string{"nothing", "run-1", "reader"} {
		if !strings.Contains(got.Error(), word) {
			t.Errorf("%q does not name %q", got, word)
		}
	}
}

func TestDelete_RemovesAValue(t *testing.T) {
	p := godags.New("delete")
	p.Do("a", func(ctx context.Context) error {
		if err := errors.Join(godags.Put(ctx, "k", 1), godags.Delete(ctx, "k"), godags.Delete(ctx, "k")); err != nil {
			return err
		}
		if _, err := godags.Get[int](ctx, "k"); !errors.Is(err, cache.ErrNotFound) {
			return fmt.Errorf("it is still there: %w", err)
		}
		return nil
	})
	report, err := run(t, p)
	mustSucceed(t, report, err)
}

func TestGet_NeedsTheContextOfAStage(t *testing.T) {
	_, err := godags.Get[int](t.Context(), "k")
	for _, err := range []error{err, godags.Put(t.Context(), "k", 1), godags.Delete(t.Context(), "k")} {
		if !errors.Is(err, godags.ErrNotInStage) {
			t.Error(err)
		}
	}
}

// Two runs of one pipeline at the same time, and one after the other, on the same Redis.
func TestRun_DoesNotSeeValuesOfOtherRuns(t *testing.T) {
	server := redistest.Start(t)
	t.Setenv("GODAGS_KEY", "the key of these tests")
	var mu sync.Mutex
	seen := make(map[string]string)
	pipeline := func() *godags.Pipeline {
		p := godags.New("same")
		write := p.Do("write", func(ctx context.Context) error {
			info, _ := godags.InfoOf(ctx)
			if _, err := godags.Get[string](ctx, "who"); !errors.Is(err, cache.ErrNotFound) {
				return fmt.Errorf("another run's value is visible: %v", err)
			}
			return godags.Put(ctx, "who", info.Run)
		})
		p.Do("read", func(ctx context.Context) error {
			who, err := godags.Get[string](ctx, "who")
			info, _ := godags.InfoOf(ctx)
			mu.Lock()
			defer mu.Unlock()
			seen[info.Run] = who
			return err
		}).After(write)
		return p
	}
	var runs sync.WaitGroup
	for i := range 5 {
		runs.Go(func() {
			report, err := godags.Run(t.Context(), pipeline(), godags.Redis(server.URL()), godags.RunID(fmt.Sprintf("run-%d", i)))
			if err != nil || report.Stages.Succeeded != 2 {
				t.Errorf("%+v %v", report, err)
			}
		})
	}
	runs.Wait()
	for run, who := range seen {
		if run != who {
			t.Errorf("run %s read the value of %s", run, who)
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d runs", len(seen))
	}
}

func TestRunID_ReturnsTheReportOfAFinishedRun(t *testing.T) {
	server := redistest.Start(t)
	t.Setenv("GODAGS_KEY", "the key of these tests")
	once := []godags.RunOption{godags.Redis(server.URL()), godags.RunID("once")}
	first, err := godags.Run(t.Context(), simple.Pipeline(), once...)
	if err != nil {
		t.Fatal(err)
	}
	second, err := godags.Run(t.Context(), simple.Pipeline(), once...)
	if err != nil || !second.Finished.Equal(first.Finished) || second.Stages.Succeeded != 6 {
		t.Fatalf("%v: %+v", err, second)
	}
	other := godags.New("other")
	other.Do("one", func(context.Context) error { return nil })
	if _, err := godags.Run(t.Context(), other, once...); err == nil || !strings.Contains(err.Error(), "taken") {
		t.Fatalf("the id of a run of another pipeline: %v", err)
	}
}

func TestRunID_TwoCallsExecuteEachStageOnce(t *testing.T) {
	server := redistest.Start(t)
	t.Setenv("GODAGS_KEY", "the key of these tests")
	var executed atomic.Int32
	p := godags.New("shared")
	arrived, release := make(chan struct{}), make(chan struct{})
	p.Do("only", func(context.Context) error { executed.Add(1); close(arrived); <-release; return nil })
	results := make(chan error, 2)
	share := func() {
		report, err := godags.Run(t.Context(), p, godags.Redis(server.URL()), godags.RunID("shared"))
		if err == nil && report.Stages.Succeeded != 1 {
			err = fmt.Errorf("%+v", report)
		}
		results <- err
	}
	go share()
	<-arrived
	go share()
	close(release)
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := executed.Load(); n != 1 {
		t.Errorf("executed %d times", n)
	}
}

func TestRun_AFailureSkipsItsDependentsOnly(t *testing.T) {
	p := godags.New("failing")
	var ran atomic.Int32
	ok := func(context.Context) error { ran.Add(1); return nil }
	bad := p.Do("bad", func(context.Context) error { return errors.New("no more disk") })
	panics := p.Do("panics", func(context.Context) error { panic("oops") })
	p.Do("child", ok).After(bad, panics)
	p.Do("unrelated", ok).After(p.Do("root", ok))
	report, err := run(t, p)
	if report == nil || report.State != "failed" || report.Stages.Failed != 2 || report.Stages.Skipped != 1 || report.Stages.Succeeded != 2 || ran.Load() != 2 {
		t.Fatalf("%+v, %d ran, %v", report, ran.Load(), err)
	}
	var failed *godags.RunError
	var stage *godags.StageError
	if !errors.As(err, &failed) || !errors.As(err, &stage) || len(failed.Failed) != 2 {
		t.Fatal(err)
	}
	for _, text := range []string{`stage "bad": no more disk`, `stage "panics": panic: oops`} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v does not say %q", err, text)
		}
	}
}

func TestConcurrency_OneExecutesOneStageAtATime(t *testing.T) {
	p := godags.New("serial")
	var running, most atomic.Int32
	for i := range 20 {
		p.Do(fmt.Sprint(i), func(context.Context) error {
			most.Store(max(most.Load(), running.Add(1)))
			running.Add(-1)
			return nil
		})
	}
	report, err := run(t, p, godags.Concurrency(1))
	mustSucceed(t, report, err)
	if most.Load() != 1 {
		t.Fatalf("%d stages at once", most.Load())
	}
}

// A runner that goes level by level would deadlock here: fast_2 must run while slow, of the level
// before, still does.
func TestRun_StartsAStageAsSoonAsItsDependenciesAllow(t *testing.T) {
	p := godags.New("levels")
	done := make(chan struct{})
	p.Do("slow", func(ctx context.Context) error {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	fast := p.Do("fast_1", func(context.Context) error { return nil })
	p.Do("fast_2", func(context.Context) error { close(done); return nil }).After(fast)
	report, err := run(t, p, godags.Concurrency(2))
	mustSucceed(t, report, err)
}

func TestRun_IsCancelledWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	p := godags.New("endless")
	why := errors.New("enough")
	stage := p.Do("endless", func(ctx context.Context) error {
		cancel(why)
		<-ctx.Done()
		return ctx.Err()
	})
	p.Do("never", func(context.Context) error { t.Error("it ran"); return nil }).After(stage)
	report, err := godags.Run(ctx, p)
	if !errors.Is(err, why) || report == nil || report.State != "cancelled" || report.Stages.Cancelled != 2 {
		t.Fatalf("%+v %v", report, err)
	}
}

func TestRun_ReportsAllMistakesAndExecutesNothing(t *testing.T) {
	p, other := godags.New("mistakes"), godags.New("other")
	do := func(name string) *godags.Stage {
		return p.Do(name, func(context.Context) error { t.Error("it ran"); return nil })
	}
	a, b := do("a"), do("b")
	a.After(b)
	b.After(a)
	do("a")
	do("new\nline")
	do("c").After(other.Do("x", nil))
	p.Do("q", nil, godags.Queue("no such name"))
	_, err := run(t, p)
	var invalid *dag.InvalidError
	if !errors.As(err, &invalid) {
		t.Fatal(err)
	}
	for _, text := range []string{`"a" -> "b" -> "a"`, `"a" is defined twice`, `"new\nline"`, `another pipeline`, `illegal queue name`} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("it does not say %s:\n%v", text, err)
		}
	}
}

func TestRun_NamesAnUnreachableRedis(t *testing.T) {
	_, err := run(t, simple.Pipeline(), godags.Redis("redis://127.0.0.1:1"))
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Fatal(err)
	}
}

func TestRun_ExecutesTheStagesOfAllQueues(t *testing.T) {
	p := godags.New("queues", godags.Queue("cpu"))
	p.Do("b", func(context.Context) error { return nil }, godags.Queue("gpu")).After(p.Do("a", func(context.Context) error { return nil }))
	report, err := run(t, p)
	mustSucceed(t, report, err)
}
