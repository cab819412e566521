//go:build soak

package faults

import (
	"fmt"
	"testing"
	"time"
)

// 11: Redis is unreachable for 90 s. Workers stop their stages, which are executed again
// afterwards.
func TestRedisIsAwayForLong(t *testing.T) {
	t.Parallel()
	redisIsAway(t, 90*time.Second)
}

// 22: three workers are replaced again and again during a hundred runs.
func TestWorkersAreReplacedDuringAHundredRuns(t *testing.T) {
	t.Parallel()
	roll(t, 100, 0)
}

// 3, 4: what a worker had in hand when it was killed is taken back by Asynq in the end, and nothing
// of it is executed again.
func TestAsynqTakesBackTheTasksOfADeadWorker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	victim := w.worker()
	run := w.run(single)
	w.pid("only.1")
	victim.kill()
	w.worker()
	w.goOn()
	run.exits(0)
	begin := time.Now()
	if !poll(3*time.Minute, func() bool { return w.rdb.LLen(t.Context(), w.queue()+"active").Val() == 0 }) {
		t.Error("I6: a task stays active")
	}
	t.Attr("asynq", fmt.Sprintf("the task of a killed worker was gone %s after the run", time.Since(begin).Round(time.Second)))
	run.check(1, 0)
}
