// Package queue delivers batches of stages from coordinators to workers. It is the only package
// that knows Asynq.
//
// The queue promises little: a batch may be delivered twice, late, or after another worker has
// deleted it. A claim in the journal decides which worker executes a stage.
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

	// Of and Index are set for an instance: its mapped stage, and which element it is for. The ID
	// of an instance is beyond those of the graph, so a worker does not know it.
	Of    dag.StageID `json:"of,omitempty"`
	Index int         `json:"index,omitempty"`
	List  string      `json:"list,omitempty"` // entry with the success of the list's stage

	// First and Count are set for a mapped stage that collects its instances: their IDs.
	First dag.StageID `json:"first,omitempty"`
	Count int         `json:"count,omitempty"`

	// Deps says which attempt of each dependency succeeded, unless all first attempts did.
	Deps SucceededAttempts `json:"deps,omitempty"`
}

// Batch is the content of one task: attempts of one run, which one worker executes in this order.
type Batch struct {
	Format      int    `json:"format"` // see [version.Format]; set by [Client.EnqueueAll]
	Run         string `json:"run"`
	Pipeline    string `json:"pipeline"`
	Incarnation string `json:"incarnation"`     // of the run: see [journal.Identity]
	Digest      string `json:"digest"`          // of the run's spec
	After       string `json:"after,omitempty"` // last entry that the coordinator had read
	Items       []Item `json:"items"`
	Hops        int    `json:"hops,omitempty"` // workers in a row that had no handler for it
	Queue       string `json:"-"`              // the queue from which it was taken
	ID          string `json:"-"`              // of the task
}

// Task is a batch to be enqueued.
type Task struct {
	ID    string // unique in the queue: a second task with this ID is not added
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

// taskTimeout is Asynq's limit for a task, and for the handlers of a server that shuts down.
// Workers enforce the limits of stages, so this limit must only be longer than any of them. Without
// it Asynq would take 30 minutes.
const taskTimeout = 365 * 24 * time.Hour

// maxRetry is how often Asynq redelivers a task whose handler returned an error.
const maxRetry = 25

// Client signs batches and enqueues them. It is safe for concurrent use.
type Client struct {
	rdb     redis.UniversalClient
	client  *asynq.Client
	inspect *asynq.Inspector
	key     sign.Key
	run     string // whose private queues are used, or ""
}

// NewClient returns a client on the given connection, which the caller still owns. Only workers
// with the same key take its batches.
func NewClient(rdb redis.UniversalClient, key sign.Key) *Client {
	return &Client{rdb, asynq.NewClientFromRedisClient(pipelinedClient{rdb}), asynq.NewInspectorFromRedisClient(rdb), key, ""}
}

// ForRun returns a client for the private queues of a run, on which only workers of that run
// listen. An empty run means the queues of the key, as for the client itself.
func (c *Client) ForRun(run string) *Client { return &Client{c.rdb, c.client, c.inspect, c.key, run} }

// Fingerprint returns the fingerprint of the key with which batches are signed.
func (c *Client) Fingerprint() string { return c.key.Fingerprint() }

func (c *Client) name(queue string) string { return name(queue, c.run, c.key) }

// name returns the name of a queue in Redis.
func name(queue, run string, key sign.Key) string {
	// Runs with private queues and workers with different keys must not share a queue: a worker
	// that takes a task which it must refuse keeps the task from the others. A queue of a user has
	// no '@' in its name, so none has such a name.
	if run == "" {
		run = "key:" + key.Fingerprint()
	}
	return queue + "@" + run
}

// enqueue adds a task to a queue, or does nothing if it is there. The caller wakes the workers.
func (c *Client) enqueue(ctx context.Context, queue string, t Task) error {
	// Set here and not by callers: every task that this program writes has its format.
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

// Requeue adds the rest of a batch to the queue from which it was taken, for another worker. First
// is the name of its first stage.
func (c *Client) Requeue(ctx context.Context, b Batch, first string) error {
	id := requeuedID(TaskID(b.Run, first, int(b.Items[0].Attempt)))
	return c.EnqueueAll(ctx, b.Queue, Task{id, Label(len(b.Items), first), b})
}

// requeuedID returns a new ID for a task that is requeued.
func requeuedID(first string) string {
	// The plain ID of the attempt may still be in use: by the task that is being handled, or by one
	// that the coordinator has sent again. Asynq would then leave out this one.
	return first + "." + rand.Text()[:6]
}

// RequeuedAttempt returns the task ID of the first attempt of a requeued task, from the ID of that
// task: "run:stage:1" from "run:stage:1.K3M9QX". It returns "" for any other task.
func RequeuedAttempt(id string) (first string) {
	if at := len(id) - len(".RANDOM"); at > 0 && id[at] == '.' {
		return id[:at]
	}
	return ""
}

// RequeuedAttempts returns the task IDs of the first attempts of the requeued tasks in a queue: see
// [RequeuedAttempt].
func (c *Client) RequeuedAttempts(queue string) (first map[string]bool, err error) {
	// The random part of their IDs is not known to the coordinator, so the whole list is read. The
	// caller does so only for attempts that it misses.
	ids, err := c.rdb.LRange(context.Background(), asynqKey(c.name(queue), "pending"), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("list queue %s: %w", queue, err)
	}

	first = make(map[string]bool)
	for _, id := range ids {
		first[RequeuedAttempt(id)] = true
	}
	return first, nil
}

// Label describes a batch of n stages to people: the name of the only stage, or their number.
func Label(n int, name string) string {
	if n == 1 {
		return name
	}
	return fmt.Sprintf("[%d stages]", n)
}

// wakeChannel is the channel on which idle workers are told that the queue has a task. A lost
// message delays a task by [wakeFallback] at most.
func wakeChannel(queue string) string { return "godags:wake:" + queue }

func (c *Client) wakeChannel(queue string) string { return wakeChannel(c.name(queue)) }

// pendingScript finds out whether a task waits in its queue. Asynq writes the state "pending" into
// the task, but takes tasks from a list. A pending task that the list has lost is put back as the
// next one.
//
//	KEYS task, list   ARGV id
//	Returns 0 if the task is not pending, 1 if it is, 2 if it was put back
var pendingScript = redis.NewScript(`
if redis.call('HGET', KEYS[1], 'state') ~= 'pending' then return 0 end
if redis.call('LPOS', KEYS[2], ARGV[1]) then return 1 end
redis.call('RPUSH', KEYS[2], ARGV[1])
return 2`)

// Pending reports whether a task waits in its queue: it was not taken, deleted or archived. A
// task that only the list of the queue has lost is put back.
func (c *Client) Pending(queue, id string) (bool, error) {
	name := c.name(queue)
	keys := []string{asynqKey(name, "t:"+id), asynqKey(name, "pending")}
	state, err := pendingScript.Run(context.Background(), c.rdb, keys, id).Int()

	// The workers that wait for this queue were woken when the task was enqueued, and found
	// nothing.
	if err == nil && state == 2 {
		err = c.rdb.Publish(context.Background(), c.wakeChannel(queue), "").Err()
	}
	if err != nil {
		return false, fmt.Errorf("look up task %s: %w", id, err)
	}

	return state > 0, nil
}

// asynqKey returns a key of Asynq's.
func asynqKey(name, what string) string { return "asynq:{" + name + "}:" + what }

// Paused returns the key in Redis that pauses the queue, or "" if it is not paused. People pause a
// queue with asynqmon.
func (c *Client) Paused(queue string) (key string, err error) {
	key = asynqKey(c.name(queue), "paused")
	n, err := c.rdb.Exists(context.Background(), key).Result()
	if err != nil {
		return "", fmt.Errorf("look whether queue %s is paused: %w", queue, err)
	}
	if n == 0 {
		return "", nil
	}

	return key, nil
}

// PausedQueue is a queue from which no worker takes anything.
type PausedQueue struct {
	Name string
	Of   string // the owner of the queue: "key:" and the fingerprint of a key, or a run ID
	Key  string // in Redis: the key that pauses the queue
}

// PausedQueues lists the paused queues of all keys and runs. It lists none if the Redis user may
// not look, such as the user of a worker.
func PausedQueues(ctx context.Context, rdb redis.UniversalClient) (list []PausedQueue, err error) {
	names, err := rdb.SMembers(ctx, "asynq:queues").Result()
	if redis.HasErrorPrefix(err, "NOPERM") {
		return nil, nil
	}

	for _, name := range names {
		// Other programs may use Asynq in the same Redis.
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

// Remove removes a task that still waits in its queue. It leaves a task that a worker has taken:
// the claims of that worker are refused.
func (c *Client) Remove(queue, id string) error {
	err := c.inspect.DeleteTask(c.name(queue), id)
	if err == nil || errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound) {
		return nil
	}

	// Asynq reports a task that a worker has taken by an error that has no name.
	if pending, lookErr := c.Pending(queue, id); lookErr == nil && !pending {
		return nil
	}
	return fmt.Errorf("remove task %s: %w", id, err)
}

// RemoveQueue removes a queue. It leaves a queue with a task that is marked as active, such as that
// of a worker that was killed.
func (c *Client) RemoveQueue(ctx context.Context, queue string) error {
	name := c.name(queue)
	err := c.inspect.DeleteQueue(name, true)
	if err == nil || errors.Is(err, asynq.ErrQueueNotFound) {
		// Also if the queue is gone: the process that removed it may have died before this.
		err = c.removeCounts(ctx, name)
	} else if info, lookErr := c.inspect.GetQueueInfo(name); lookErr == nil && info.Active > 0 {
		return nil // Asynq's error for a queue with active tasks has no name
	}
	if err != nil {
		return fmt.Errorf("remove queue %s: %w", name, err)
	}

	return nil
}
