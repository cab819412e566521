package godags

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/tasks"
)

// Concurrency sets how many stages each worker of a client executes at once. The default is one per
// core.
func Concurrency(n int) ClientOption {
	return clientOption(func(o *clientOptions) { o.concurrency = n })
}

// WorkerGrace sets how long the running stages of a worker may take after its context is done. The
// default is 10 seconds.
func WorkerGrace(d time.Duration) ClientOption {
	return clientOption(func(o *clientOptions) { o.grace = d })
}

// Queues names the queues that the workers of a client take stages from. The default is "default".
func Queues(names ...string) ClientOption {
	return clientOption(func(o *clientOptions) { o.queues = names })
}

// WorkerName sets the name under which the workers of a client are listed; a few letters are added
// to make it unique. The default is the name of the host.
func WorkerName(name string) ClientOption {
	return clientOption(func(o *clientOptions) { o.name = name })
}

// Worker executes stages in this process, for all runs on the Redis of its client. Make one with
// [Client.Worker].
type Worker struct {
	client    *Client
	pipelines []*Pipeline
}

// Worker returns a worker that executes the Go functions of the pipelines, and the commands of any
// pipeline. It does nothing until [Worker.Run] is called. [Concurrency], [Queues], [WorkerGrace]
// and [WorkerName] are options of [Open].
func (c *Client) Worker(pipelines ...*Pipeline) *Worker { return &Worker{c, pipelines} }

// Run executes stages until ctx is done. Then it takes no more, lets the running stages finish for
// the time of [WorkerGrace], stops those that have not, and returns. Stages that it stopped are
// executed again by another worker, which uses up no retry.
//
// The error says that a pipeline is not valid, or that Redis refuses this client.
func (w *Worker) Run(ctx context.Context) error {
	options, err := w.check()
	if err != nil {
		return err
	}

	registry, caches, err := define(w.pipelines)
	if err != nil {
		return err
	}

	options.Registry = registry
	w.client.session.Stores.Add(caches)

	worker, err := w.client.session.NewWorker(options)
	if err != nil {
		return err
	}

	abort, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()

	release := context.AfterFunc(ctx, func() { time.AfterFunc(w.client.options.grace, stop) })
	defer release()
	return worker.Run(ctx, abort, nil)
}

func (w *Worker) check() (engine.WorkerOptions, error) {
	o := w.client.options
	if o.concurrency < 1 {
		return engine.WorkerOptions{}, fmt.Errorf("Concurrency(%d): a worker needs at least 1", o.concurrency)
	}
	if len(o.queues) == 0 {
		return engine.WorkerOptions{}, errors.New("Queues(): a worker needs at least one queue")
	}

	for _, name := range o.queues {
		if err := spec.CheckQueue(name); err != nil {
			return engine.WorkerOptions{}, err
		}
	}

	return engine.WorkerOptions{ID: engine.NewWorkerID(o.name), Queues: o.queues, Concurrency: o.concurrency}, nil
}

// Coordinator owns the runs that are submitted to the Redis of its client, and adopts those whose
// coordinator died. It is what `coordinator serve` runs. Any number may serve one Redis.
type Coordinator struct{ server *engine.Server }

// Coordinator returns a coordinator that owns up to 100 runs at once. It does nothing until
// [Coordinator.Run] is called.
func (c *Client) Coordinator() *Coordinator {
	return &Coordinator{c.session.NewServer(engine.ServeOptions{ID: engine.NewWorkerID(""), Runs: 100, Grace: c.options.grace})}
}

// Run coordinates runs until ctx is done. Then another coordinator takes its runs over; their
// stages continue.
func (c *Coordinator) Run(ctx context.Context) error { return c.server.Run(ctx, func() {}) }

// define returns what a worker needs to execute the stages of pipelines.
func define(pipelines []*Pipeline) (*tasks.Registry, map[string]cache.Cache, error) {
	definitions := make([]engine.Pipeline, len(pipelines))
	for i, p := range pipelines {
		if p == nil {
			return nil, nil, fmt.Errorf("pipeline %d is nil", i+1)
		}
		definition, err := p.define()
		if err != nil {
			return nil, nil, err
		}
		definitions[i] = definition
	}

	return engine.Collect(definitions...)
}
