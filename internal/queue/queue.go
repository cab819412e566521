// Package queue delivers bundles of stages from coordinators to workers. It is the only package
// that knows Asynq.
//
// The queue is a pipe and nothing more: a batch may be delivered twice, late, or after another
// worker has deleted it. Who executes a stage is decided by a claim in the journal.
package queue

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/sign"
	"github.com/godags/godags/internal/version"
)

// Item is one attempt of a stage.
type Item struct {
	Stage   dag.StageID `json:"stage"`
	Attempt dag.Attempt `json:"attempt"`

	// Of an instance: the stage of the graph that it is an instance of, and which one. Its id is
	// beyond those of the graph.
	Of    dag.StageID `json:"of,omitempty"`
	Index int         `json:"index,omitempty"`
	// entry of the journal with the success of the stage that made the list
	List string `json:"list,omitempty"`
	// Of a stage that gathers what its instances have done: which these are.
	First dag.StageID `json:"first,omitempty"`
	Count int         `json:"count,omitempty"`

	// What the coordinator knows of the stages that this one may be given outputs of, where it is
	// not that their first attempt succeeded.
	Deps Exceptions `json:"deps,omitempty"`
}

// Batch is what one task carries: attempts of one run that one worker executes in this order.
type Batch struct {
	Format      int    `json:"format"` // see [version.Format]; set when it is enqueued
	Run         string `json:"run"`
	Pipeline    string `json:"pipeline"`
	Incarnation string `json:"incarnation"` // of the run: see [journal.Identity]
	Digest      string `json:"digest"`      // of the run's spec
	// entry of the journal that the coordinator knew last
	After string `json:"after,omitempty"`
	Items []Item `json:"items"`
	Hops  int    `json:"hops,omitempty"` // workers in a row that had no handler for it
	Queue string `json:"-"`              // that it was taken from
	ID    string `json:"-"`              // of the task that it was taken with
}

// Task is a bundle on its way into a queue.
type Task struct {
	ID    string // of which there is one at a time
	Label string // for people: see [Label]
	Batch Batch
}

// decodeBatch decodes a payload whose signature was verified.
func decodeBatch(payload []byte) (Batch, error) {
	var signed struct {
		Batch
		Signature string `json:"signature"` // the last field: see signTask
	}
	err := version.Decode(payload, &signed, &signed.Format)
	return signed.Batch, err
}

// taskTimeout is Asynq's limit for a bundle. A stage's own limits are the worker's, so this must
// only be longer than any of them; without it Asynq would take 30 minutes.
const taskTimeout = 365 * 24 * time.Hour

// maxRetry is how often Asynq delivers a task again whose handler returned an error.
const maxRetry = 25

// Client enqueues bundles, signed. It is safe for concurrent use.
type Client struct {
	rdb     redis.UniversalClient
	client  *asynq.Client
	inspect *asynq.Inspector
	key     sign.Key
	run     string // whose own queues are meant, or ""
}

// NewClient returns a client on the given connection, which stays the caller's. Only workers with
// the same key take its bundles.
func NewClient(rdb redis.UniversalClient, key sign.Key) *Client {
	return &Client{rdb, asynq.NewClientFromRedisClient(pipelining{rdb}), asynq.NewInspectorFromRedisClient(rdb), key, ""}
}

// Own returns a client for the queues from which only workers that serve one run take bundles; with
// an empty run it is the client itself.
func (c *Client) Own(run string) *Client { return &Client{c.rdb, c.client, c.inspect, c.key, run} }

// Fingerprint returns that of the key with which bundles are signed.
func (c *Client) Fingerprint() string { return c.key.Fingerprint() }

func (c *Client) name(queue string) string { return name(queue, c.run, c.key) }

// name returns the name that a queue has in Redis. Runs with private queues, and workers with
// different keys, must not meet in one: who takes what he then refuses keeps it from the others. It
// is unlike all that [CheckName] permits.
func name(queue, run string, key sign.Key) string {
	if run == "" {
		run = "key:" + key.Fingerprint()
	}
	return queue + "@" + run
}

// enqueue adds a task to a queue, or does nothing if it is there. The wake-up is the caller's.
func (c *Client) enqueue(ctx context.Context, queue string, t Task) error {
	t.Batch.Format = version.Format
	payload, err := json.Marshal(t.Batch)
	if err != nil {
		return fmt.Errorf("task %s: %w", t.ID, err)
	}

	payload = signTask(c.key, c.name(queue), payload)
	_, err = c.client.EnqueueContext(ctx, asynq.NewTask(t.Batch.Pipeline+"/"+t.Label, payload),
		asynq.Queue(c.name(queue)), asynq.TaskID(t.ID), asynq.MaxRetry(maxRetry), asynq.Timeout(taskTimeout))
	if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		return fmt.Errorf("task %s: %w", t.ID, err)
	}

	return nil
}

// Requeue adds what is left of a bundle to the queue that it came from, for another worker. First is
// the name of its first stage.
func (c *Client) Requeue(ctx context.Context, b Batch, first string) error {
	id := requeuedID(TaskID(b.Run, first, int(b.Items[0].Attempt)))
	return c.EnqueueAll(ctx, b.Queue, Task{id, Label(len(b.Items), first), b})
}

// requeuedID returns a new ID for a task that is passed on: that of its first attempt may still be
// in use.
func requeuedID(first string) string { return first + "." + rand.Text()[:6] }

// Requeued returns the id of the attempt that comes first in a task which was passed on, by the id
// of that task; empty for any other task.
func RequeuedFrom(id string) (first string) {
	if at := len(id) - len(".RANDOM"); at > 0 && id[at] == '.' {
		return id[:at]
	}
	return ""
}

// Requeued returns the ids of the attempts that come first in tasks which workers have passed on,
// and that wait in a queue.
func (c *Client) Requeued(queue string) (first map[string]bool, err error) {
	ids, err := c.rdb.LRange(context.Background(), asynqKey(c.name(queue), "pending"), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("list queue %s: %w", queue, err)
	}

	first = make(map[string]bool)
	for _, id := range ids {
		first[RequeuedFrom(id)] = true
	}
	return first, nil
}

// Label is what people are shown of a bundle of n stages: the name of the only one, or how many
// there are.
func Label(n int, name string) string {
	if n == 1 {
		return name
	}
	return fmt.Sprintf("[%d stages]", n)
}

// wakeChannel is where idle workers hear that there is something in the queue. A lost message costs
// them [fallback] at the most.
func wakeChannel(queue string) string { return "godags:wake:" + queue }

func (c *Client) wakeChannel(queue string) string { return wakeChannel(c.name(queue)) }

// pendingScript finds out whether a task waits in its queue. Asynq writes into the task that it is
// pending, and takes tasks off a list: if the list has lost one, it is put back, first in turn.
// KEYS task, list ARGV id Returns 0: it is not pending, 1: it is, 2: it is again
var pendingScript = redis.NewScript(`
if redis.call('HGET', KEYS[1], 'state') ~= 'pending' then return 0 end
if redis.call('LPOS', KEYS[2], ARGV[1]) then return 1 end
redis.call('RPUSH', KEYS[2], ARGV[1])
return 2`)

// Pending reports whether the task waits in its queue: no worker has taken it, deleted it, or put
// it aside. A task that only the queue's list has lost is put back.
func (c *Client) Pending(queue, id string) (bool, error) {
	name := c.name(queue)
	keys := []string{asynqKey(name, "t:"+id), asynqKey(name, "pending")}
	state, err := pendingScript.Run(context.Background(), c.rdb, keys, id).Int()
	if err == nil && state == 2 {
		err = c.rdb.Publish(context.Background(), c.wakeChannel(queue), "").Err()
	}
	if err != nil {
		return false, fmt.Errorf("look up task %s: %w", id, err)
	}

	return state > 0, nil
}

// asynqKey is a key of Asynq's.
func asynqKey(name, what string) string { return "asynq:{" + name + "}:" + what }

// Paused returns the key in Redis that pauses the queue, as a person does with asynqmon; empty if
// it is not paused.
func (c *Client) Paused(queue string) (key string, err error) {
	key = asynqKey(c.name(queue), "paused")
	n, err := c.rdb.Exists(context.Background(), key).Result()
	if err != nil {
		return "", fmt.Errorf("ask whether queue %s is paused: %w", queue, err)
	}
	if n == 0 {
		return "", nil
	}

	return key, nil
}

// PausedQueue is a queue from which no worker takes anything.
type PausedQueue struct {
	Name string // of the queue
	Of   string // whose queue it is: "key:" and the fingerprint of a key, or the id of a run
	Key  string // in Redis, which pauses it
}

// PausedQueues lists the queues that are paused, of all keys and runs. A user of Redis who may not
// look, such as that of a worker, is told of none.
func PausedQueues(ctx context.Context, rdb redis.UniversalClient) (list []PausedQueue, err error) {
	names, err := rdb.SMembers(ctx, "asynq:queues").Result()
	if redis.HasErrorPrefix(err, "NOPERM") {
		return nil, nil
	}

	for _, name := range names {
		queue, of, ours := strings.Cut(name, "@")
		if !ours {
			continue
		}

		var n int64
		if n, err = rdb.Exists(ctx, asynqKey(name, "paused")).Result(); err != nil {
			break
		}

		if n > 0 {
			list = append(list, PausedQueue{queue, of, asynqKey(name, "paused")})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look for paused queues: %w", err)
	}

	slices.SortFunc(list, func(a, b PausedQueue) int { return strings.Compare(a.Key, b.Key) })
	return list, nil
}

// Remove takes a task out of its queue if it still waits there. One that a worker has taken meets a
// claim that is refused.
func (c *Client) Remove(queue, id string) error {
	err := c.inspect.DeleteTask(c.name(queue), id)
	if err == nil || errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound) {
		return nil
	}
	if pending, lookErr := c.Pending(queue, id); lookErr == nil && !pending {
		return nil // it is being worked on, which Asynq reports as an error without a name
	}
	return fmt.Errorf("remove task %s: %w", id, err)
}

// RemoveQueue removes a queue that is not needed any more. One with a task that a worker had when
// it was killed stays.
func (c *Client) RemoveQueue(ctx context.Context, queue string) error {
	name := c.name(queue)
	err := c.inspect.DeleteQueue(name, true)
	if err == nil || errors.Is(err, asynq.ErrQueueNotFound) {
		err = c.forgetCounts(ctx, name)
	} else if info, lookErr := c.inspect.GetQueueInfo(name); lookErr == nil && info.Active > 0 {
		return nil // Asynq's error for this has no name
	}
	if err != nil {
		return fmt.Errorf("remove queue %s: %w", name, err)
	}

	return nil
}
