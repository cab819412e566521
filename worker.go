package godags

import (
	"context"
	"fmt"
	"time"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/tasks"
)

// Queues names the queues on which the workers of a client listen. The default is "default".
func Queues(names ...string) ClientOption {
	return clientOption(func(o *clientOptions) { o.queues = names })
}

// WorkerName sets the name under which the workers of a client are listed. A few letters are added
// to make it unique. The default is the name of the host.
func WorkerName(name string) ClientOption {
	return clientOption(func(o *clientOptions) { o.name = name })
}

// Worker executes stages in this process, for all runs in the Redis of its client. Make one with
// [Client.Worker].
type Worker struct {
	client    *Client
	pipelines []*Pipeline
}

// Worker returns a worker that executes the Go functions of the pipelines, and the commands of any
// pipeline. It does nothing until [Worker.Run] is called. Its options, such as [Concurrency] and
// [Queues], are options of [Open].
func (c *Client) Worker(pipelines ...*Pipeline) *Worker { return &Worker{c, pipelines} }

// Run executes stages until ctx is done. Then it drains: it takes no more stages, and lets the
// running ones finish for the time of [Grace]. Stages that take longer are stopped, and another
// worker executes them again, which uses up no retry.
//
// While Redis is unreachable, Run waits for it. The error says that a pipeline is invalid, or that
// Redis refuses this client.
func (w *Worker) Run(ctx context.Context) error {
	registry, caches, err := w.define()
	if err != nil {
		return err
	}

	o := w.client.options
	// Values of these pipelines are in the caches that they chose, which only this program knows.
	w.client.session.Stores.Add(caches)
	worker, err := w.client.session.NewWorker(engine.WorkerOptions{
		ID:          engine.NewWorkerID(o.name),
		Queues:      o.queues,
		Concurrency: o.concurrency,
		Registry:    registry,
	})
	if err != nil {
		return err
	}

	// ctx ends the taking of stages. The stages themselves end with abort, after the grace.
	abort, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()

	release := context.AfterFunc(ctx, func() { time.AfterFunc(o.grace, stop) })
	defer release()
	return worker.Run(ctx, abort, func() {})
}

// define returns the handlers that execute the stages of the pipelines, and the caches that the
// pipelines chose.
func (w *Worker) define() (*tasks.Registry, map[string]cache.Cache, error) {
	definitions := make([]engine.Pipeline, len(w.pipelines))
	for i, p := range w.pipelines {
		if p == nil {
			return nil, nil, fmt.Errorf("pipeline %d of the worker is nil", i+1)
		}
		definition, err := p.define()
		if err != nil {
			return nil, nil, err
		}
		definitions[i] = definition
	}

	registry, caches, err := engine.Collect(definitions...)
	if err != nil {
		return nil, nil, err
	}
	// First and so outermost: it sees the errors that the middleware returns, as the journal does.
	registry.Use(w.client.failures.watch)
	registry.Use(w.client.options.middleware...)
	return registry, caches, nil
}

// maxCoordinated is how many runs a [Coordinator] owns at once.
const maxCoordinated = 100

// Coordinator owns the runs that are submitted to the Redis of its client, and takes over runs
// whose coordinator died. It decides which stages are ready, and sends them to workers. It is what
// `coordinator serve` runs. Any number of coordinators may serve one Redis.
type Coordinator struct{ server *engine.Server }

// Coordinator returns a coordinator that owns up to 100 runs at once. It does nothing until
// [Coordinator.Run] is called.
func (c *Client) Coordinator() *Coordinator {
	return &Coordinator{c.session.NewServer(engine.ServeOptions{
		ID:    engine.NewWorkerID(""),
		Runs:  maxCoordinated,
		Grace: c.options.grace,
	})}
}

// Run coordinates runs until ctx is done. Then another coordinator takes them over; their stages
// continue. While Redis is unreachable, Run waits for it.
func (c *Coordinator) Run(ctx context.Context) error { return c.server.Run(ctx, func() {}) }
