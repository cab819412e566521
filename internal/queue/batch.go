package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// pipelining lets Asynq, which enqueues tasks one by one, enqueue several in one trip: a script call
// whose context has a pipeline is put into it instead of being sent, and Asynq is told that it
// succeeded. How it ended is known when the pipeline is executed.
type pipelining struct{ redis.UniversalClient }

type pipelineKey struct{}

func (c pipelining) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	pipe, ok := ctx.Value(pipelineKey{}).(redis.Pipeliner)
	if !ok {
		return c.UniversalClient.EvalSha(ctx, sha, keys, args...)
	}
	pipe.EvalSha(ctx, sha, keys, args...)
	said := redis.NewCmd(ctx)
	said.SetVal(int64(1)) // "enqueued", as the script says it
	return said
}

// EnqueueAll adds bundles to a queue and wakes workers, in one trip. A task with the same id that
// is still there makes it do nothing, and is no error: it is the same bundle, sent twice. After an
// error any of them may be in the queue.
func (c *Client) EnqueueAll(ctx context.Context, queue string, tasks ...Task) error {
	pipe := c.rdb.Pipeline()
	collect := context.WithValue(ctx, pipelineKey{}, pipe)
	for _, t := range tasks {
		if err := c.enqueue(collect, queue, t); err != nil {
			return fmt.Errorf("enqueue in %s: %w", queue, err)
		}
	}

	pipe.Publish(ctx, c.wakeChannel(queue), "")
	answers, _ := pipe.Exec(ctx) // the first error of those below
	var failed []error
	again := tasks[:0:0]
	for i, answer := range answers {
		switch err := answer.Err(); {
		case err == nil:
		case i < len(tasks) && strings.HasPrefix(err.Error(), "NOSCRIPT"):
			again = append(again, tasks[i])
		default:
			failed = append(failed, err)
		}
	}

	if len(again) > 0 {
		failed = append(failed, c.enqueueEach(ctx, queue, again))
	}

	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("enqueue in %s: %w", queue, err)
	}

	return nil
}

// enqueueEach is for when Redis does not have Asynq's script, which it then gets.
func (c *Client) enqueueEach(ctx context.Context, queue string, tasks []Task) error {
	for _, t := range tasks {
		if err := c.enqueue(ctx, queue, t); err != nil {
			return err
		}
	}
	return c.rdb.Publish(ctx, c.wakeChannel(queue), "").Err()
}
