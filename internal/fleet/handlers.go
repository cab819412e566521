package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/journal"
)

// handlersTTL is how long Redis keeps a published list of task names. [PublishInterval] is how
// often a worker should publish its list.
const (
	handlersTTL     = time.Hour
	PublishInterval = 10 * time.Minute
)

// HandlersDigest identifies a sorted list of task names. Heartbeats carry it in place of the list,
// which can be long and is the same for all workers of one program.
func HandlersDigest(names []string) string {
	// Eight bytes tell the programs of a fleet apart. After a collision, a task would only reach a
	// worker without its handler, which requeues it.
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	return hex.EncodeToString(sum[:8])
}

// PublishHandlers publishes a sorted list of task names under its digest.
func (f *Fleet) PublishHandlers(ctx context.Context, names []string) error {
	err := f.rdb.Set(ctx, handlersPrefix+HandlersDigest(names), strings.Join(names, "\n"), handlersTTL).Err()
	if err != nil {
		return fmt.Errorf("publish the task names: %w", err)
	}
	return nil
}

// Handlers returns the task names with a digest, or nil if no such list is published.
func (f *Fleet) Handlers(ctx context.Context, digest string) (map[string]bool, error) {
	text, err := f.rdb.Get(ctx, handlersPrefix+digest).Result()

	// The list has expired, or its worker is about to publish it. That is no error: without the
	// list, the worker may have any handler.
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the task names of workers: %w", err)
	}

	tasks := make(map[string]bool)
	for name := range strings.SplitSeq(text, "\n") {
		tasks[name] = true
	}
	return tasks, nil
}

// Capabilities says which tasks the able workers of each queue have handlers for.
type Capabilities struct {
	byQueue map[string]map[string]bool // digests of the task names of the workers of a queue
	// task names by digest; workers with a digest that is missing here may have any handler
	tasks map[string]map[string]bool
}

// Capabilities groups those of the workers that serve the run and have the key with this
// fingerprint. It fetches their task names, except those that known, which may be nil, has already.
func (f *Fleet) Capabilities(ctx context.Context, workers []Worker, run journal.RunID, key string, known *Capabilities) (*Capabilities, error) {
	c := &Capabilities{byQueue: make(map[string]map[string]bool), tasks: make(map[string]map[string]bool)}
	for _, w := range workers {
		if !w.Serves(run) || w.Key != key || !w.Able() {
			continue
		}

		for _, q := range w.Queues {
			if c.byQueue[q] == nil {
				c.byQueue[q] = make(map[string]bool)
			}
			c.byQueue[q][w.Handlers] = true
		}

		// Most workers run one program, so one list is fetched for all of them.
		if c.tasks[w.Handlers] != nil || w.Handlers == "" {
			continue
		}

		// A coordinator asks twice a second: a list with the same digest is fetched only once.
		tasks := known.of(w.Handlers)
		if tasks == nil {
			var err error
			if tasks, err = f.Handlers(ctx, w.Handlers); err != nil {
				return nil, err
			}
		}

		if tasks != nil {
			c.tasks[w.Handlers] = tasks
		}
	}

	return c, nil
}

func (c *Capabilities) of(digest string) map[string]bool {
	if c == nil {
		return nil
	}
	return c.tasks[digest]
}

// Lack reports whether workers listen on the queue, but none of them has a handler for the
// task. It is false if no worker listens on the queue: then the handler is not what is missing.
func (c *Capabilities) Lack(queue, task string) bool {
	if task == "" || len(c.byQueue[queue]) == 0 {
		return false
	}

	// A worker whose list is unknown may have the handler. To wait for such a worker costs time,
	// but to call a stage unschedulable by mistake may end the run.
	for digest := range c.byQueue[queue] {
		if tasks := c.tasks[digest]; tasks == nil || tasks[task] {
			return false
		}
	}

	return true
}

// Unschedulable says that ready stages cannot be executed by any live worker, and why.
type Unschedulable struct {
	Queue string
	// a task for which no worker of the queue has a handler; empty: no worker listens on the queue
	Task   string
	Stage  string // the first of the stages
	Stages int
	For    time.Duration
	Paused string // the key in Redis that pauses the queue; empty: the queue is not paused

	KeyMismatch []string // live workers that listen on the queue, but have another key
	Unhealthy   []string // live workers that listen on the queue and are unhealthy; with reasons
	// live workers that listen on the queue, but have no handler or, without a task, cannot read
	// the pipeline; with their versions
	Listeners []string
}
