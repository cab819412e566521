package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/godags/godags/tasks"
)

// outcomes counts attempts by their outcome. A real one would feed a metric or end a span.
func outcomes(counts map[string]int) tasks.Middleware {
	return func(next tasks.Handler) tasks.Handler {
		return tasks.HandlerFunc(func(ctx context.Context, s *tasks.Stage) error {
			err := next.Handle(ctx, s)
			if err == nil {
				counts["succeeded"]++
			} else {
				counts["failed"]++
			}
			return err
		})
	}
}

func ExampleRegistry_Use() {
	counts := make(map[string]int)
	registry := tasks.NewRegistry()
	registry.Use(outcomes(counts))
	err := registry.Register("load", tasks.HandlerFunc(func(ctx context.Context, s *tasks.Stage) error {
		return errors.New("no such table")
	}))
	if err != nil {
		fmt.Println(err)
	}

	// A worker does this for each attempt.
	for _, task := range []string{"noop", "load"} {
		handler, err := registry.Lookup(task)
		if err == nil {
			err = tasks.Run(context.Background(), handler, &tasks.Stage{Name: task, Log: os.Stdout})
		}
		fmt.Println(task, err)
	}
	fmt.Println(counts)
	// Output:
	// noop <nil>
	// load no such table
	// map[failed:1 succeeded:1]
}
