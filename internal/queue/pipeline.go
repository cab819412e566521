package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// pipelinedClient lets Asynq, which enqueues tasks one by one, enqueue several in one trip. A
// script call whose context has a pipeline is put into the pipeline instead of being sent, and
// Asynq gets a successful reply. The real reply is known when the pipeline is executed.
type pipelinedClient struct{ redis.UniversalClient }

type pipelineKey struct{}

func (c pipelinedClient) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	pipe, ok := ctx.Value(pipelineKey{}).(redis.Pipeliner)
	if !ok {
		return c.UniversalClient.EvalSha(ctx, sha, keys, args...)
	}

	// Asynq checks the reply of its script: 1 means that the task was enqueued. EnqueueAll looks at
	// the replies of the pipeline.
	pipe.EvalSha(ctx, sha, keys, args...)
	reply := redis.NewCmd(ctx)
	reply.SetVal(int64(1))
	return reply
}

// EnqueueAll adds batches to a queue and wakes workers, in one trip. If a task with the same ID is
// in the queue already, it stays and that is no error: it is the same batch, sent twice. After an
// error any of the tasks may be in the queue.
func (c *Client) EnqueueAll(ctx context.Context, queue string, tasks ...Task) error {
	pipe := c.rdb.Pipeline()
	collect := context.WithValue(ctx, pipelineKey{}, pipe)
	for _, t := range tasks {
		if err := c.enqueue(collect, queue, t); err != nil {
			return fmt.Errorf("enqueue in %s: %w", queue, err)
		}
	}

	// One wake-up for all tasks, behind the last: a worker that receives it finds them.
	pipe.Publish(ctx, c.wakeChannel(queue), "")
	answers, _ := pipe.Exec(ctx) // its error is the first of those below

	// A Redis that was restarted does not have Asynq's script. go-redis sends the text of a script
	// again for a single call only, and not for one in a pipeline.
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

// enqueueEach adds tasks one by one. So go-redis sends the text of Asynq's script if Redis does not
// have it.
func (c *Client) enqueueEach(ctx context.Context, queue string, tasks []Task) error {
	for _, t := range tasks {
		if err := c.enqueue(ctx, queue, t); err != nil {
			return err
		}
	}
	return c.rdb.Publish(ctx, c.wakeChannel(queue), "").Err()
}
