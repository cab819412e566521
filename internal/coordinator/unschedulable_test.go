package coordinator

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/version"
)

// beatWith is a heartbeat of a worker that has handlers for some tasks only.
func (w *world) beatWith(worker string, tasks ...string) {
	w.must(w.fleet.PublishHandlers(w.Context(), tasks))
	w.must(w.fleet.Heartbeat(w.Context(), fleet.Worker{ID: worker, Queues: []string{"default"}, Slots: 1, Version: "v7",
		Handlers: fleet.HandlersDigest(tasks)}))
	w.pass(fleet.HeartbeatInterval)
}

func TestAHandlerThatNoWorkerHasIsNamedAndItsStagesWait(t *testing.T) {
	simulate(t, "a; b", func(w *world) {
		w.sent("a#1", "b#1") // to w1, of which nothing is known; it ends
		w.must(w.fleet.Remove(w.Context(), "w1"))
		for range 12 {
			w.beatWith("w2", "sleep", "train")
		}
		w.queue.take() // what is left to do for them is not known here
		for range 12 {
			w.beatWith("w2", "sleep", "train")
		}
		if again := w.queue.take(); len(again) > 0 {
			w.Errorf("sent to a worker without the handler: %v", again)
		}
		w.mu.Lock()
		u := w.served
		w.mu.Unlock()
		if len(u) != 1 || u[0].Task != "noop" || u[0].Stages != 2 || len(u[0].Listeners) != 1 || u[0].Listeners[0] != "w2 (v7)" {
			w.Fatalf("%+v", u)
		}
		w.beatWith("w3", "noop")
		w.beatWith("w3", "noop")
		if again := w.queue.take(); len(again) != 2 {
			w.Errorf("sent when there is a worker: %v", again)
		}
	})
}

func TestWithALimitARunIsLeftWhenNoWorkerComesInTime(t *testing.T) {
	simulate(t, "a@gpu; b", func(w *world) {
		w.stop(errors.New("driven with other settings from here on"))
		<-w.done
		w.patience = 10 * time.Second
		epoch, err := w.journal.Acquire(w.Context(), w.run, "c1", Lease)
		w.must(err)
		w.drive("c1", epoch)
		w.keepAlive("w1", 9*time.Second)
		select {
		case err := <-w.done:
			w.Fatalf("too early: %v", err)
		default:
		}
		w.keepAlive("w1", 3*time.Second)
		err = <-w.done
		if !errors.Is(err, ErrNoWorker) || !strings.Contains(err.Error(), `none listened on queue "gpu", where stage "a" waits`) {
			w.Errorf("%v", err)
		}
		w.done <- nil
		if strings.Contains(w.story(), "finished") {
			w.Error("the run was ended")
		}
	})
}

func TestAWorkerThatCannotReadThePipelineDoesNotCount(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.must(w.fleet.Remove(w.Context(), "w1"))
		for range 8 {
			w.must(w.fleet.Heartbeat(w.Context(), fleet.Worker{ID: "w2", Queues: []string{"default"}, Slots: 4, Version: "v0", Format: version.Format + 1}))
			w.pass(fleet.HeartbeatInterval)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.served) != 1 || w.served[0].Task != "" || !slices.Equal(w.served[0].Listeners, []string{"w2 (v0)"}) {
			w.Fatalf("%+v", w.served)
		}
	})
}

// A worker that cannot execute stages is given none, and is named while there is no other.
func TestDriver_NamesWorkersThatCannotExecute(t *testing.T) {
	simulate(t, "a; b", func(w *world) {
		w.must(w.fleet.Remove(w.Context(), "w1"))
		unwell := fleet.Worker{ID: "w2", Queues: []string{"default"}, Slots: 8, Unhealthy: "the worker cannot execute commands: no space left on device"}
		for range 12 {
			w.must(w.fleet.Heartbeat(w.Context(), unwell))
			w.pass(fleet.HeartbeatInterval)
		}
		w.mu.Lock()
		u := w.served
		w.mu.Unlock()
		if len(u) != 1 || u[0].Stages != 2 || len(u[0].Listeners) != 0 || len(u[0].Unhealthy) != 1 || u[0].Unhealthy[0] != "w2: "+unwell.Unhealthy {
			w.Fatalf("%+v", u)
		}
		unwell.Unhealthy = ""
		for range 2 {
			w.must(w.fleet.Heartbeat(w.Context(), unwell))
			w.pass(fleet.HeartbeatInterval)
		}
		w.mu.Lock()
		u = w.served
		w.mu.Unlock()
		if len(u) != 0 {
			w.Errorf("it is well again, and still named: %+v", u)
		}
	})
}

// A person has paused the queue, which asynqmon has a button for: the stages wait for him.
func TestUnserved_NamesAPausedQueue(t *testing.T) {
	simulate(t, "a", func(w *world) {
		w.queue.mu.Lock()
		w.queue.paused = "asynq:{default@x}:paused"
		w.queue.mu.Unlock()
		w.keepAlive("w1", 5*time.Second)
		w.mu.Lock()
		u := w.served
		w.mu.Unlock()
		if len(u) != 1 || u[0].Paused != "asynq:{default@x}:paused" || u[0].Stage != "a" {
			w.Fatalf("%+v", u)
		}
		w.queue.mu.Lock()
		w.queue.paused = ""
		w.queue.mu.Unlock()
		w.keepAlive("w1", 5*time.Second)
		w.mu.Lock()
		u = w.served
		w.mu.Unlock()
		if len(u) != 0 {
			w.Errorf("the queue is not paused any more: %+v", u)
		}
	})
}
