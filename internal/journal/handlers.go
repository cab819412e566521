package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// handlersLife is how long a list of handlers stays after it was last published; [HandlersEvery] is
// how often a worker should do so.
const (
	handlersLife  = time.Hour
	HandlersEvery = 10 * time.Minute
)

// HandlersDigest identifies a list of the tasks that a worker has handlers for. The names are
// sorted.
func HandlersDigest(names []string) string {
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	return hex.EncodeToString(sum[:8])
}

// PublishHandlers says which tasks workers have handlers for whose heartbeats name the digest of
// the list.
func (j *Journal) PublishHandlers(ctx context.Context, names []string) error {
	err := j.rdb.Set(ctx, handlersPrefix+HandlersDigest(names), strings.Join(names, "\n"), handlersLife).Err()
	if err != nil {
		return fmt.Errorf("publish the names of handlers: %w", err)
	}
	return nil
}

// Handlers returns the tasks of a list that workers have published; nil if it is not known.
func (j *Journal) Handlers(ctx context.Context, digest string) (map[string]bool, error) {
	text, err := j.rdb.Get(ctx, handlersPrefix+digest).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the names of handlers: %w", err)
	}

	tasks := make(map[string]bool)
	for name := range strings.SplitSeq(text, "\n") {
		tasks[name] = true
	}
	return tasks, nil
}

// Crews says which workers listen to which queues, by the handlers that they have.
type Crews struct {
	byQueue map[string]map[string]bool // digests of the handlers of the workers that listen there
	// by digest; a digest that is missing is of workers that may have any handler
	tasks map[string]map[string]bool
}

// Crews groups the workers of a list that serve a run and have the key with this fingerprint. It
// fetches what handlers they have, unless the crews before, which may be nil, tell already.
func (j *Journal) Crews(ctx context.Context, list []WorkerInfo, run RunID, key string, before *Crews) (*Crews, error) {
	c := &Crews{byQueue: make(map[string]map[string]bool), tasks: make(map[string]map[string]bool)}
	for _, w := range list {
		if !w.Serves(run) || w.Key != key || !w.Able() {
			continue
		}

		for _, q := range w.Queues {
			if c.byQueue[q] == nil {
				c.byQueue[q] = make(map[string]bool)
			}
			c.byQueue[q][w.Handlers] = true
		}

		if c.tasks[w.Handlers] != nil || w.Handlers == "" {
			continue
		}

		tasks := before.of(w.Handlers)
		if tasks == nil {
			var err error
			if tasks, err = j.Handlers(ctx, w.Handlers); err != nil {
				return nil, err
			}
		}

		if tasks != nil {
			c.tasks[w.Handlers] = tasks
		}
	}

	return c, nil
}

func (c *Crews) of(digest string) map[string]bool {
	if c == nil {
		return nil
	}
	return c.tasks[digest]
}

// Lack reports whether workers listen to the queue, but none of them has a handler for the task.
func (c *Crews) Lack(queue, task string) bool {
	if task == "" || len(c.byQueue[queue]) == 0 {
		return false
	}

	for digest := range c.byQueue[queue] {
		if tasks := c.tasks[digest]; tasks == nil || tasks[task] {
			return false
		}
	}

	return true
}

// Unserved is what no live worker can execute although stages wait for it.
type Unserved struct {
	Queue string
	// that no worker which listens to the queue has a handler for; empty: no worker listens
	Task   string
	Stage  string // the first of those that wait
	Stages int
	For    time.Duration
	Paused string // the key in Redis that pauses the queue; empty: it is not paused

	Strangers []string // live workers that do listen, but have another key
	Unhealthy []string // live workers that do listen, but cannot execute stages; with the reasons
	// live workers that do listen, but have no handler or, without a task, cannot read the
	// pipeline; with their versions
	Listeners []string
}
