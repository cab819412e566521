package godags_test

import (
	"context"
	"fmt"
	"os"
	"strings"

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
