package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/sync/errgroup"
)

// asynqSide is two workers of raw Asynq, and what they say.
type asynqSide struct {
	world   *world
	slots   int // of each worker
	client  *asynq.Client
	notices chan notice
	workers []*process
	heard   sync.WaitGroup
	pipes   []io.Closer
}

// asynq prepares raw Asynq in a world, without workers.
func (w *world) asynq(slots int) (*asynqSide, error) {
	connection, err := asynq.ParseRedisURI(w.url())
	if err != nil {
		return nil, err
	}
	a := &asynqSide{world: w, slots: slots, client: asynq.NewClient(connection), notices: make(chan notice, 100)}
	w.stops = append(w.stops, a.client.Close)
	return a, nil
}

// start starts workers.
func (a *asynqSide) start(n int) error {
	for range n {
		out, in := io.Pipe()
		p, err := launch(a.world.ctx, in, a.world.lab.self, asynqRole, a.world.url(), strconv.Itoa(a.slots))
		if err != nil {
			return err
		}

		a.workers = append(a.workers, p)
		a.pipes = append(a.pipes, in)
		a.heard.Go(func() { a.listen(out) })
	}

	a.world.stops = append(a.world.stops, a.stop)
	return nil
}

func (a *asynqSide) listen(out io.Reader) {
	for in := json.NewDecoder(out); ; {
		var n notice
		if in.Decode(&n) != nil {
			return // the worker has ended
		}
		a.notices <- n
	}
}

// stop ends the workers. What they have said is kept.
func (a *asynqSide) stop() (err error) {
	for _, p := range a.workers {
		err = errors.Join(err, p.stop())
	}

	// After the processes have ended, so that their last notices are read.
	for _, p := range a.pipes {
		err = errors.Join(err, p.Close())
	}
	a.heard.Wait()
	return err
}

// next returns the next notice.
func (a *asynqSide) next() (notice, error) {
	select {
	case n := <-a.notices:
		return n, nil
	case <-time.After(time.Minute):
		return notice{}, errors.New("a worker of raw Asynq said nothing for a minute")
	case <-a.world.ctx.Done():
		return notice{}, context.Cause(a.world.ctx)
	}
}

// startReady starts workers and returns when they take tasks.
func (a *asynqSide) startReady(n int) error {
	if err := a.start(n); err != nil {
		return err
	}

	// The first notice of a worker says that it is ready.
	for range n {
		if _, err := a.next(); err != nil {
			return err
		}
	}

	return nil
}

const enqueuers = 8

func (a *asynqSide) fill(n int) error {
	// Several at once, because each call waits for Redis.
	group, ctx := errgroup.WithContext(a.world.ctx)
	for i := range enqueuers {
		group.Go(func() error {
			for range (n + i) / enqueuers {
				if _, err := a.client.EnqueueContext(ctx, asynq.NewTask(taskNoop, nil)); err != nil {
					return err
				}
			}
			return nil
		})
	}

	return group.Wait()
}

// drained returns when there is nothing left to do.
func (a *asynqSide) drained() error {
	for {
		pipe := a.world.rdb.Pipeline()
		pending, active := pipe.LLen(a.world.ctx, "asynq:{default}:pending"), pipe.LLen(a.world.ctx, "asynq:{default}:active")
		if _, err := pipe.Exec(a.world.ctx); err != nil {
			return err
		}

		if pending.Val()+active.Val() == 0 {
			return nil
		}

		time.Sleep(10 * time.Millisecond)
	}
}

func (a *asynqSide) enqueue(task *asynq.Task) error {
	_, err := a.client.EnqueueContext(a.world.ctx, task)
	return err
}
