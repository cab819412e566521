package coordinator

import (
	"testing"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/queue"
)

// has lets time go by with a worker that has taken a task, and claimed nothing of it.
func (w *world) has(task string) {
	for range 5 * unclaimedAfter / fleet.HeartbeatInterval {
		w.must(w.fleet.Heartbeat(w.Context(), fleet.Worker{ID: "w1", Queues: []string{"default"}, Slots: 1, Workload: fleet.Workload{Delivered: []string{task}}}))
		w.pass(fleet.HeartbeatInterval)
	}
}

// A worker on a busy machine has taken the task, and waits for a slot. When it has dropped the task
// all the same, the stage is sent again.
func TestOverdue_LeavesDeliveredTasksAlone(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.sent("a#1")
		w.has("r:a:1")
		w.sent()
		w.keepAlive("w1", 2*fleet.HeartbeatInterval)
		w.sent("a#1~1")
	})
}

// Another worker has passed on what it did not claim, under another id.
func TestOverdue_FindsRequeuedTasks(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.sent("a#1")
		w.has("r:a:1.ABCDEF")
		w.sent()
		requeued := queue.Task{ID: "r:a:1.ABCDEF"}
		w.must(w.queue.EnqueueAll(w.Context(), "default", requeued))
		w.keepAlive("w1", 5*unclaimedAfter)
		w.sent("a#1.ABCDEF") // nothing else
		w.keepAlive("w1", unclaimedAfter+fleet.HeartbeatInterval)
		w.sent("a#1~1")
	})
}
