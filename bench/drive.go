package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/tasks"
)

// driveRole is the first argument of this program when it is to be a coordinator of layers of
// stages, as many and as wide as the last two arguments say, on the Redis of the second. The
// largest are more than a pipeline file can have.
const driveRole = "drive"

func drive(url, layers, width string) error {
	ctx := context.Background()
	session, err := engine.Open(ctx, engine.Config{Redis: url, Registry: tasks.NewRegistry(), Logger: slog.Default()})
	if err != nil {
		return err
	}

	defer session.Close()
	sp, err := layeredSpec(layers, width)
	if err != nil {
		return err
	}

	run, err := session.Run(ctx, engine.RunOptions{Spec: sp, Grace: time.Second})
	if err == nil && run.DAG.Outcome() != dag.Succeeded {
		err = fmt.Errorf("run %s %s", run.ID, run.DAG.Outcome())
	}

	if err != nil {
		return err
	}

	return json.NewEncoder(os.Stdout).Encode(run.Result(run.Finished))
}

func layeredSpec(layers, width string) (*spec.Spec, error) {
	l, err := strconv.Atoi(layers)
	w, widthErr := strconv.Atoi(width)
	if err := errors.Join(err, widthErr); err != nil {
		return nil, err
	}

	b := spec.Builder{Name: "layered"}

	// The numbers of stages and edges are known, so no slice is copied while it grows.
	b.Grow(l*w+1, (l*parents+1)*w)
	for s := range layered(l, w, parents, noop) {
		b.Add(s.Name, s.After, spec.Kind{Task: s.Task})
	}

	return b.Build()
}

const parents = 3

// driven samples a run of layers of stages, of which it takes what figures wants to know.
func (l *lab) driven(layers, width int, figures func(driven) []figure) sampler {
	return l.sample(func(w *world) ([]figure, error) {
		if _, err := w.startWorkers(2); err != nil {
			return nil, err
		}

		before, err := w.redisMemory("used_memory")
		if err != nil {
			return nil, err
		}

		// In a separate process, so that its memory has nothing of this program.
		begin := time.Now()
		text, cmd, err := execute(w.ctx, l.folder, nil, l.self, driveRole, w.url(), strconv.Itoa(layers), strconv.Itoa(width))
		if err != nil {
			return nil, err
		}

		d := driven{stages: layers*width + 1, command: time.Since(begin), peak: peakMemory(cmd)}
		if err := json.Unmarshal([]byte(text), &d.outcome); err != nil {
			return nil, err
		}

		// The peak: memory that was needed only for a moment counts too.
		after, err := w.redisMemory("used_memory_peak")
		d.redis = after - before
		return figures(d), err
	})
}

// driven is what came of such a run.
type driven struct {
	outcome
	stages  int
	command time.Duration // from the start of the coordinator to its end
	// memory of the coordinator, and what the run added to that of Redis, in bytes
	peak, redis float64
}

// million is what counts if there are a million stages.
func million(d driven) []figure {
	return []figure{
		{millionTime, "s", d.Seconds},
		{millionRate, stagesPerSecond, float64(d.stages) / d.Seconds},
		{millionCommand, "s", d.command.Seconds()},
		{millionCoordinator, mib, d.peak / (1 << 20)},
		{millionRedis, "MB", d.redis / 1e6},
	}
}

// cost is what each stage costs if there are about n.
func cost(n int) func(driven) []figure {
	return func(d driven) []figure { return []figure{{costOf(n), "µs", d.Seconds * 1e6 / float64(d.stages)}} }
}
