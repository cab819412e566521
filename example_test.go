package godags_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/godags/godags"
	"github.com/godags/godags/cache"
)

// quietly keeps the state of the examples out of the working directory.
func quietly() (restore func()) {
	home, err := os.MkdirTemp("", "godags")
	if err != nil {
		panic(err)
	}
	os.Setenv("GODAGS_HOME", home)
	return func() { os.RemoveAll(home) }
}

func Example() {
	defer quietly()()
	p := godags.New("greeting")
	name := godags.Produce(p, "name", func(context.Context) (string, error) { return "world", nil })
	loud := godags.Then(p, "loud", func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil }, name)
	godags.Join(p, "greeting", func(_ context.Context, a, b string) (string, error) {
		return fmt.Sprintf("hello %s, %s!", a, b), nil
	}, name, loud)

	report, err := godags.Start(context.Background(), p)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.State, string(report.Outputs["greeting"]))
	// Output: succeeded "hello world, WORLD!"
}

func ExampleStage_After() {
	defer quietly()()
	p := godags.New("order")
	stage := func(name string) *godags.Stage {
		return p.Do(name, func(context.Context) error { fmt.Println(name); return nil })
	}
	clean, fetch := stage("clean"), stage("fetch")
	fetch.After(clean)
	stage("build").After(fetch)

	if _, err := godags.Start(context.Background(), p, godags.Cores(1)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// clean
	// fetch
	// build
}

func ExamplePut() {
	defer quietly()()
	p := godags.New("by key")
	write := p.Do("write", func(ctx context.Context) error { return godags.Put(ctx, "answer", 42) })
	p.Do("read", func(ctx context.Context) error {
		v, err := godags.Get[int](ctx, "answer")
		fmt.Println(v)
		return err
	}).After(write)

	if _, err := godags.Start(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	// Output: 42
}

func ExampleValues() {
	defer quietly()()
	dir, err := os.MkdirTemp("", "values")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	p := godags.New("on disk", godags.Values(cache.Disk(dir)), godags.Codec(cache.Gob))
	many := godags.Produce(p, "many", func(context.Context) ([]int, error) { return make([]int, 1_000_000), nil })
	godags.Then(p, "count", func(_ context.Context, v []int) (int, error) { fmt.Println(len(v)); return len(v), nil }, many)

	if _, err := godags.Start(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	// Output: 1000000
}

func ExamplePipeline_Command() {
	defer quietly()()
	p := godags.New("commands")
	words := godags.Produce(p, "words", func(context.Context) ([]string, error) { return []string{"b", "a"}, nil })
	sorted := p.Command("sorted", godags.Command{Run: `tr -d '[]"' < "$GODAGS_INPUTS/words" | tr , '\n' | sort > "$GODAGS_OUTPUT"`})
	sorted.After(words)
	godags.Then(p, "print", func(_ context.Context, text []byte) (int, error) { return fmt.Print(string(text)) }, sorted)

	if _, err := godags.Start(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	// Output:
	// a
	// b
}

func ExampleParam() {
	defer quietly()()
	p := godags.New("params", godags.DeclareParam("greeting", "hello"), godags.DeclareParam[[]string]("names"))
	p.Do("greet", func(ctx context.Context) error {
		greeting, err := godags.Param[string](ctx, "greeting")
		if err != nil {
			return err
		}
		names, err := godags.Param[[]string](ctx, "names")
		fmt.Println(greeting, strings.Join(names, " and "))
		return err
	})

	_, err := godags.Start(context.Background(), p, godags.Params(map[string]any{"nmes": "me"}))
	fmt.Println(err)
	_, err = godags.Start(context.Background(), p, godags.Params(map[string]any{"names": []string{"you", "me"}}))
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// pipeline "params": parameter "names" (list) must be given: it has no default
	// parameter "nmes" is unknown: did you mean "names"?
	// hello you and me
}

func ExampleSecret() {
	defer quietly()()
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

	_, err := godags.Start(context.Background(), p, godags.RunID("secrets-1"))
	fmt.Println(err)
	// Output:
	// run secrets-1 failed
	//   stage "login": token "***" is wrong
}

func ExampleRetries() {
	defer quietly()()
	p := godags.New("retries")
	p.Do("flaky", func(ctx context.Context) error {
		info, _ := godags.InfoOf(ctx)
		fmt.Println("attempt", info.Attempt)
		if info.Attempt < 3 {
			return errors.New("the network is down")
		}
		return nil
	}, godags.Retries(5), godags.Backoff(10*time.Millisecond, 2, time.Second, 0))

	if _, err := godags.Start(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	// Output:
	// attempt 1
	// attempt 2
	// attempt 3
}

func ExampleNoRetry() {
	defer quietly()()
	p := godags.New("final", godags.Retries(5))
	p.Do("login", func(context.Context) error { return godags.NoRetry(errors.New("wrong password")) })

	_, err := godags.Start(context.Background(), p)
	var failed *godags.StageError
	if errors.As(err, &failed) {
		fmt.Println(failed, "- attempt", failed.Attempt)
	}
	// Output: stage "login": wrong password - attempt 1
}

func ExampleTrigger() {
	defer quietly()()
	p := godags.New("triggers")
	work := p.Do("work", func(context.Context) error { return errors.New("out of memory") })
	p.Do("publish", func(context.Context) error { fmt.Println("published"); return nil }).After(work)
	p.Do("alert", func(context.Context) error { fmt.Println("something has failed"); return nil }, godags.Trigger(godags.AnyFailed)).After(work)

	report, _ := godags.Start(context.Background(), p)
	fmt.Println(report.State, report.Succeeded, "succeeded", report.Failed, "failed", report.Skipped, "skipped")
	// Output:
	// something has failed
	// failed 1 succeeded 1 failed 1 skipped
}

func ExampleWhen() {
	defer quietly()()
	p := godags.New("conditions", godags.DeclareParam("threshold", 0.9))
	accuracy := godags.Produce(p, "accuracy", func(context.Context) (float64, error) { return 0.8, nil })
	deploy := godags.Then(p, "deploy", func(context.Context, float64) (string, error) { return "deployed", nil }, accuracy,
		godags.When("outputs.accuracy >= params.threshold"))
	p.Do("weekly", func(context.Context) error { return nil }, godags.WhenFunc(func(context.Context) (bool, error) {
		return false, nil // not today
	})).After(deploy)

	for _, threshold := range []float64{0.9, 0.7} {
		report, err := godags.Start(context.Background(), p, godags.Params(map[string]any{"threshold": threshold}))
		fmt.Println(report.State, report.Succeeded, "succeeded", report.Skipped, "skipped", err)
	}
	// Output:
	// succeeded 1 succeeded 2 skipped <nil>
	// succeeded 2 succeeded 1 skipped <nil>
}

func ExampleMap() {
	defer quietly()()
	p := godags.New("squares")
	list := godags.Produce(p, "list", func(context.Context) ([]int, error) { return []int{1, 2, 3, 4}, nil })
	squares := godags.Map(p, "square", func(_ context.Context, n int) (int, error) { return n * n, nil }, list, godags.MaxParallel(2))
	godags.Then(p, "sum", func(_ context.Context, squares []int) (int, error) {
		fmt.Println(squares)
		sum := 0
		for _, n := range squares {
			sum += n
		}
		return sum, nil
	}, squares)

	report, err := godags.Start(context.Background(), p)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(report.Outputs["sum"]))
	// Output:
	// [1 4 9 16]
	// 30
}
