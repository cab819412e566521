package godags_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/godags/godags"
	"github.com/godags/godags/cache"
	"github.com/godags/godags/tasks"
)

func Example() {
	p := godags.New("greeting")
	name := godags.Produce(p, "name", func(context.Context) (string, error) { return "world", nil })
	loud := godags.Then(p, "loud", func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil }, name)
	greeting := godags.Join(p, "greeting", func(_ context.Context, a, b string) (string, error) {
		return fmt.Sprintf("hello %s, %s!", a, b), nil
	}, name, loud)

	report, err := godags.Run(context.Background(), p)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := godags.Result(report, greeting)
	fmt.Println(report.State, text, err)
	// Output: succeeded hello world, WORLD! <nil>
}

// A service that submits a run and executes it in the same process. The Redis keeps the run, so
// that another process can take it over.
func Example_service() {
	url, stop := exampleRedis()
	defer stop()

	p := godags.New("report")
	city := godags.NewParam[string](p, "city")
	text := godags.Produce(p, "write", func(ctx context.Context) (string, error) {
		name, err := city.Get(ctx)
		return "a report about " + name, err
	})

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client, err := godags.Open(ctx, url, godags.Concurrency(4))
	if err != nil {
		fmt.Println(err)
		return
	}

	stopped := make(chan error, 2)
	go func() { stopped <- client.Coordinator().Run(ctx) }()
	go func() { stopped <- client.Worker(p).Run(ctx) }()

	run, err := client.Submit(ctx, p, godags.Params(map[string]any{"city": "Oslo"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := client.Wait(ctx, run)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(godags.Result(report, text))

	cancel() // the worker finishes what runs, then both return
	fmt.Println(errors.Join(<-stopped, <-stopped, client.Close()))
	// Output:
	// a report about Oslo <nil>
	// <nil>
}

// exampleRedis starts a Redis for an example.
func exampleRedis() (url string, stop func()) {
	redis, err := miniredis.Run()
	if err != nil {
		panic(err)
	}
	os.Setenv("GODAGS_KEY", "the key of the examples")
	return "redis://" + redis.Addr(), func() {
		redis.Close()
		os.Unsetenv("GODAGS_KEY")
	}
}

// openExample returns a client with a worker and a coordinator.
func openExample(pipelines ...*godags.Pipeline) (client *godags.Client, stop func()) {
	url, stopRedis := exampleRedis()
	client, err := godags.Open(context.Background(), url, godags.Logger(slog.New(slog.DiscardHandler)))
	if err != nil {
		panic(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 2)
	go func() { stopped <- client.Coordinator().Run(ctx) }()
	go func() { stopped <- client.Worker(pipelines...).Run(ctx) }()
	return client, func() {
		cancel()
		if err := errors.Join(<-stopped, <-stopped, client.Close()); err != nil {
			panic(err)
		}
		stopRedis()
	}
}

func ExampleRun() {
	p := godags.New("nightly")
	p.Do("back up", func(context.Context) error { return fs.ErrPermission })

	_, err := godags.Run(context.Background(), p, godags.RunID("nightly-1"), godags.Concurrency(8))
	var failed *godags.RunError
	if errors.As(err, &failed) {
		fmt.Println(failed.Run, failed.State, failed.Failed[0].Stage)
	}
	// The stage ran in this process, so the error is the one that the function returned.
	fmt.Println(errors.Is(err, fs.ErrPermission))
	// Output:
	// nightly-1 failed back up
	// true
}

func ExampleResult() {
	p := godags.New("sum")
	rows := godags.Produce(p, "rows", func(context.Context) ([]int, error) { return []int{1, 2, 3}, nil })
	sum := godags.Then(p, "sum", func(_ context.Context, rows []int) (total int, err error) {
		for _, n := range rows {
			total += n
		}
		return total, nil
	}, rows)

	report, err := godags.Run(context.Background(), p)
	if err != nil {
		fmt.Println(err)
		return
	}
	total, err := godags.Result(report, sum) // an int
	fmt.Println(total, err)
	// Output: 6 <nil>
}

// A run in a Redis can be shown, followed and retried by other processes while it is active and
// later.
func ExampleRedis() {
	url, stop := exampleRedis()
	defer stop()
	p := godags.New("shared")
	p.Do("work", func(context.Context) error { return nil })

	report, err := godags.Run(context.Background(), p, godags.Redis(url), godags.RunID("shared-1"), godags.Keep(24*time.Hour))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Run, report.State)
	// Output: shared-1 succeeded
}

func ExampleHome() {
	dir, err := os.MkdirTemp("", "godags")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	p := godags.New("kept")
	p.Do("work", func(context.Context) error { return nil })

	report, err := godags.Run(context.Background(), p, godags.Home(dir))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.State)
	// Output: succeeded
}

func ExampleAfter() {
	p := godags.New("load")
	cleaned := p.Do("clean", func(context.Context) error { fmt.Println("clean"); return nil })
	rows := godags.Produce(p, "rows", func(context.Context) (int, error) { fmt.Println("load"); return 3, nil },
		godags.After(cleaned)) // rows is still a godags.Output[int]
	godags.Then(p, "print", func(_ context.Context, n int) (int, error) { return fmt.Println(n, "rows") }, rows)

	if _, err := godags.Run(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	// Output:
	// clean
	// load
	// 3 rows
}

func ExampleStage_After() {
	p := godags.New("order")
	stage := func(name string) *godags.Stage {
		return p.Do(name, func(context.Context) error { fmt.Println(name); return nil })
	}
	clean, fetch := stage("clean"), stage("fetch")
	fetch.After(clean)
	stage("build").After(fetch)

	if _, err := godags.Run(context.Background(), p, godags.Concurrency(1)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// clean
	// fetch
	// build
}

func ExampleCollect() {
	p := godags.New("parts")
	var parts []godags.Output[int]
	for i := range 4 {
		parts = append(parts, godags.Produce(p, fmt.Sprintf("part_%d", i), func(context.Context) (int, error) { return i, nil }))
	}
	all := godags.Collect(p, "all", func(_ context.Context, parts []int) ([]int, error) { return parts, nil }, parts, godags.Retries(2))

	report, err := godags.Run(context.Background(), p)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(godags.Result(report, all))
	// Output: [0 1 2 3] <nil>
}

func ExampleNewParam() {
	p := godags.New("params")
	greeting := godags.NewParam(p, "greeting", "hello")
	names := godags.NewParam[[]string](p, "names") // each run must give it
	p.Do("greet", func(ctx context.Context) error {
		word, err := greeting.Get(ctx)
		if err != nil {
			return err
		}
		list, err := names.Get(ctx)
		fmt.Println(word, strings.Join(list, " and "))
		return err
	})

	_, err := godags.Run(context.Background(), p, godags.Params(map[string]any{"nmes": "me"}))
	fmt.Println(err)
	_, err = godags.Run(context.Background(), p, godags.Params(map[string]any{"names": []string{"you", "me"}}))
	fmt.Println(err)
	// Output:
	// pipeline "params": parameter "names" (list) must be given: it has no default
	// parameter "nmes" is unknown: did you mean "names"?
	// hello you and me
	// <nil>
}

func ExampleMiddleware() {
	logged := func(next tasks.Handler) tasks.Handler {
		return tasks.HandlerFunc(func(ctx context.Context, s *tasks.Stage) error {
			err := next.Handle(ctx, s)
			fmt.Printf("%s, attempt %d: %v\n", s.Name, s.Attempt, err)
			return err
		})
	}
	p := godags.New("measured")
	a := p.Do("a", func(context.Context) error { return nil })
	p.Do("b", func(context.Context) error { return errors.New("broken") }, godags.After(a))

	_, err := godags.Run(context.Background(), p, godags.RunID("measured-1"), godags.Middleware(logged))
	fmt.Println(err)
	// Output:
	// a, attempt 1: <nil>
	// b, attempt 1: broken
	// run measured-1 failed
	//   stage "b": broken
}

// A service stops its coordinator and its worker together: when SIGTERM arrives, and when one of
// them ends early, for example because its program is invalid.
func ExampleClient_Worker() {
	p := godags.New("nightly")
	done := godags.Produce(p, "measure", func(context.Context) (int, error) { return 42, nil })
	url, stopRedis := exampleRedis()
	defer stopRedis()

	serve := func(ctx context.Context, request func(context.Context, *godags.Client) error) error {
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer stop()

		client, err := godags.Open(ctx, url, godags.Logger(slog.New(slog.DiscardHandler)))
		if err != nil {
			return err
		}

		parts := []func(context.Context) error{
			client.Coordinator().Run,
			client.Worker(p).Run, // finishes the running stages first
			func(ctx context.Context) error { return request(ctx, client) },
		}
		ended := make(chan error, len(parts))
		for _, run := range parts {
			go func() {
				defer stop() // the others must not continue alone
				ended <- run(ctx)
			}()
		}

		var errs []error
		for range parts {
			errs = append(errs, <-ended)
		}
		return errors.Join(append(errs, client.Close())...)
	}

	// In place of an HTTP server.
	err := serve(context.Background(), func(ctx context.Context, client *godags.Client) error {
		run, err := client.Submit(ctx, p)
		if err != nil {
			return err
		}
		report, err := client.Wait(ctx, run)
		if err != nil {
			return err
		}
		n, err := godags.Result(report, done)
		fmt.Println(report.State, n)
		return err
	})
	fmt.Println(err)
	// Output:
	// succeeded 42
	// <nil>
}

func ExampleLog() {
	p := godags.New("logging")
	p.Do("load", func(ctx context.Context) error {
		godags.Log(ctx).Info("loaded", "rows", 3)
		fmt.Fprintln(godags.Writer(ctx), "a library printed this")
		godags.Printf(ctx, "%d rows\n", 3)
		return nil
	})
	client, stop := openExample(p)
	defer stop()

	ctx := context.Background()
	run, err := client.Submit(ctx, p)
	if err != nil {
		fmt.Println(err)
		return
	}
	var log strings.Builder
	err = client.Logs(ctx, &log, run, "load", godags.LogOptions{Follow: true})
	for line := range strings.Lines(log.String()) {
		_, withoutTime, found := strings.Cut(line, "level=")
		if !found {
			withoutTime = line
		}
		fmt.Print(withoutTime)
	}
	fmt.Println(err)
	// Output:
	// INFO msg=loaded rows=3
	// a library printed this
	// 3 rows
	// <nil>
}

func ExampleClient_Submit() {
	p := godags.New("nightly")
	p.Do("work", func(context.Context) error { return nil })
	client, stop := openExample(p)
	defer stop()

	// With a RunID the run is submitted once, however often the request is repeated.
	ctx := context.Background()
	for range 2 {
		run, err := client.Submit(ctx, p, godags.RunID("nightly-2026-11-30"))
		fmt.Println(run, err)
	}
	report, err := client.Wait(ctx, "nightly-2026-11-30")
	fmt.Println(report.State, err)

	_, err = client.Wait(ctx, "nightly-2026-12-01")
	fmt.Println(errors.Is(err, godags.ErrUnknownRun))
	// Output:
	// nightly-2026-11-30 <nil>
	// nightly-2026-11-30 <nil>
	// succeeded <nil>
	// true
}

func ExampleClient_Follow() {
	p := godags.New("followed")
	p.Do("work", func(context.Context) error { return nil })
	client, stop := openExample(p)
	defer stop()

	ctx := context.Background()
	run, err := client.Submit(ctx, p)
	if err != nil {
		fmt.Println(err)
		return
	}
	for event, err := range client.Follow(ctx, run) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d %s %q\n", event.Seq, event.Type, event.Stage)
	}
	// Output:
	// 1 run.submitted ""
	// 2 stage.started "work"
	// 3 stage.succeeded "work"
	// 4 run.finished ""
}

func ExampleClient_Cancel() {
	started := make(chan bool)
	p := godags.New("endless")
	p.Do("wait", func(ctx context.Context) error {
		close(started)
		<-ctx.Done() // a stage returns soon after its context is done
		return ctx.Err()
	})
	client, stop := openExample(p)
	defer stop()

	ctx := context.Background()
	run, err := client.Submit(ctx, p)
	if err != nil {
		fmt.Println(err)
		return
	}
	<-started
	if err := client.Cancel(ctx, run, "the user left"); err != nil {
		fmt.Println(err)
	}
	report, err := client.Wait(ctx, run)
	var failed *godags.RunError
	fmt.Println(report.State, errors.As(err, &failed))
	// Output: cancelled true
}

func ExampleClient_Retry() {
	var broken = true
	p := godags.New("flaky")
	p.Do("upload", func(context.Context) error {
		if broken {
			return errors.New("the disk is full")
		}
		return nil
	})
	client, stop := openExample(p)
	defer stop()

	ctx := context.Background()
	if _, err := client.Submit(ctx, p, godags.RunID("flaky-1")); err != nil {
		fmt.Println(err)
		return
	}
	_, err := client.Wait(ctx, "flaky-1")
	fmt.Println(err)

	broken = false
	if err := client.Retry(ctx, "flaky-1"); err != nil {
		fmt.Println(err)
		return
	}
	report, err := client.Wait(ctx, "flaky-1")
	fmt.Println(report.State, err)
	// Output:
	// run flaky-1 failed
	//   stage "upload": the disk is full
	// succeeded <nil>
}

func ExampleClient_Status() {
	p := godags.New("shown")
	first := p.Do("first", func(context.Context) error { return nil })
	p.Do("second", func(context.Context) error { return errors.New("broken") }, godags.After(first))
	client, stop := openExample(p)
	defer stop()

	ctx := context.Background()
	run, err := client.Submit(ctx, p, godags.RunID("shown-1"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = client.Wait(ctx, run)

	status, err := client.Status(ctx, run)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(status.ID, status.State, status.Stages.Succeeded, "succeeded", status.Failures[0])

	runs, err := client.List(ctx, godags.ListOptions{State: "failed", Limit: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range runs {
		fmt.Println(r.ID, r.Pipeline, r.Stages.Total)
	}
	// Output:
	// shown-1 failed 1 succeeded stage "second": broken
	// shown-1 shown 2
}

func ExamplePut() {
	p := godags.New("by key")
	write := p.Do("write", func(ctx context.Context) error { return godags.Put(ctx, "answer", 42) })
	p.Do("read", func(ctx context.Context) error {
		v, err := godags.Get[int](ctx, "answer")
		fmt.Println(v)
		return err
	}, godags.After(write))

	if _, err := godags.Run(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	// Output: 42
}

func ExampleValues() {
	dir, err := os.MkdirTemp("", "values")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	p := godags.New("on disk", godags.Values(cache.Disk(dir)), godags.Codec(cache.Gob))
	many := godags.Produce(p, "many", func(context.Context) ([]int, error) { return make([]int, 1_000_000), nil })
	godags.Then(p, "count", func(_ context.Context, v []int) (int, error) { fmt.Println(len(v)); return len(v), nil }, many)

	if _, err := godags.Run(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	// Output: 1000000
}

func ExamplePipeline_Command() {
	p := godags.New("commands")
	words := godags.Produce(p, "words", func(context.Context) ([]string, error) { return []string{"b", "a"}, nil })
	sorted := p.Command("sorted", godags.Command{
		Run: `tr -d '[]"' < "$GODAGS_INPUTS/words" | tr , '\n' | sort > "$GODAGS_OUTPUT"`,
	}, godags.After(words))
	godags.Then(p, "print", func(_ context.Context, text []byte) (int, error) { return fmt.Print(string(text)) }, sorted)

	if _, err := godags.Run(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	// Output:
	// a
	// b
}

func ExampleSecret() {
	os.Setenv("GODAGS_SECRET_TOKEN", "correct horse") // where the worker is started
	defer os.Unsetenv("GODAGS_SECRET_TOKEN")
	p := godags.New("secrets")
	p.Do("login", func(ctx context.Context) error {
		token, err := godags.Secret(ctx, "TOKEN")
		if err != nil {
			return err
		}
		return godags.NoRetry(fmt.Errorf("token %q is wrong", token))
	}, godags.Secrets("TOKEN"), godags.Retries(3))

	_, err := godags.Run(context.Background(), p, godags.RunID("secrets-1"))
	fmt.Println(err)
	// Output:
	// run secrets-1 failed
	//   stage "login": token "***" is wrong
}

func ExampleBackoff() {
	p := godags.New("retries")
	p.Do("flaky", func(ctx context.Context) error {
		info, _ := godags.InfoOf(ctx)
		fmt.Println("attempt", info.Attempt)
		if info.Attempt < 3 {
			return errors.New("the network is down")
		}
		return nil
	}, godags.Retries(5), godags.Backoff{Initial: 10 * time.Millisecond, Max: time.Second})

	if _, err := godags.Run(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	// Output:
	// attempt 1
	// attempt 2
	// attempt 3
}

func ExampleNoRetry() {
	p := godags.New("final", godags.Retries(5))
	p.Do("login", func(context.Context) error { return godags.NoRetry(errors.New("wrong password")) })

	_, err := godags.Run(context.Background(), p)
	var failed *godags.StageError
	if errors.As(err, &failed) {
		fmt.Println(failed, "- attempt", failed.Attempt)
	}
	// Output: stage "login": wrong password - attempt 1
}

func ExampleTrigger() {
	p := godags.New("triggers")
	work := p.Do("work", func(context.Context) error { return errors.New("out of memory") })
	p.Do("publish", func(context.Context) error { fmt.Println("published"); return nil }, godags.After(work))
	p.Do("alert", func(context.Context) error { fmt.Println("something failed"); return nil },
		godags.After(work), godags.Trigger(godags.AnyFailed))

	report, _ := godags.Run(context.Background(), p)
	fmt.Println(report.State, report.Stages.Succeeded, "succeeded", report.Stages.Failed, "failed", report.Stages.Skipped, "skipped")
	// Output:
	// something failed
	// failed 1 succeeded 1 failed 1 skipped
}

func ExampleWhen() {
	p := godags.New("conditions")
	godags.NewParam(p, "threshold", 0.9)
	accuracy := godags.Produce(p, "accuracy", func(context.Context) (float64, error) { return 0.8, nil })
	deploy := godags.Then(p, "deploy", func(context.Context, float64) (string, error) { return "deployed", nil }, accuracy,
		godags.When("outputs.accuracy >= params.threshold"))
	p.Do("weekly", func(context.Context) error { return nil }, godags.After(deploy), godags.WhenFunc(func(context.Context) (bool, error) {
		return false, nil // not today
	}))

	for _, threshold := range []float64{0.9, 0.7} {
		report, err := godags.Run(context.Background(), p, godags.Params(map[string]any{"threshold": threshold}))
		fmt.Println(report.State, report.Stages.Succeeded, "succeeded", report.Stages.Skipped, "skipped", err)
	}
	// Output:
	// succeeded 1 succeeded 2 skipped <nil>
	// succeeded 2 succeeded 1 skipped <nil>
}

func ExampleMap() {
	p := godags.New("squares")
	list := godags.Produce(p, "list", func(context.Context) ([]int, error) { return []int{1, 2, 3, 4}, nil })
	squares := godags.Map(p, "square", func(_ context.Context, n int) (int, error) { return n * n, nil }, list, godags.MaxParallel(2))
	largest := godags.Then(p, "largest", func(_ context.Context, squares []int) (int, error) {
		fmt.Println(squares)
		return slices.Max(squares), nil
	}, squares)

	report, err := godags.Run(context.Background(), p)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(godags.Result(report, largest))
	// Output:
	// [1 4 9 16]
	// 16 <nil>
}

func ExampleSink() {
	p := godags.New("greeting")
	text := godags.Produce(p, "text", func(context.Context) (string, error) { return "hello", nil })
	godags.Sink(p, "print", func(_ context.Context, text string) error {
		_, err := fmt.Println(text)
		return err
	}, text)

	_, err := godags.Run(context.Background(), p)
	fmt.Println(err)
	// Output:
	// hello
	// <nil>
}

// All instances share the prices, which are no part of the list.
func ExampleMapWith() {
	p := godags.New("bill")
	items := godags.Produce(p, "items", func(context.Context) ([]string, error) { return []string{"tea", "cake"}, nil })
	prices := godags.Produce(p, "prices", func(context.Context) (map[string]int, error) {
		return map[string]int{"tea": 3, "cake": 5}, nil
	})
	costs := godags.MapWith(p, "cost", func(_ context.Context, item string, prices map[string]int) (int, error) {
		return prices[item], nil
	}, items, prices)

	report, err := godags.Run(context.Background(), p)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(godags.Result(report, costs))
	// Output: [3 5] <nil>
}

// A price of 0 is a price. No price is another matter.
func ExampleOptional() {
	p := godags.New("shop")
	price := godags.Produce(p, "price", func(context.Context) (int, error) { return 0, errors.New("not known yet") })
	godags.Sink(p, "publish", func(_ context.Context, price *int) error {
		if price == nil {
			_, err := fmt.Println("price on request")
			return err
		}
		_, err := fmt.Println("price:", *price)
		return err
	}, godags.Optional(price), godags.Trigger(godags.AllDone))

	report, _ := godags.Run(context.Background(), p)
	fmt.Println(report.Stages.Succeeded, "succeeded,", report.Stages.Failed, "failed")
	// Output:
	// price on request
	// 1 succeeded, 1 failed
}
