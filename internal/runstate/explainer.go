package runstate

import (
	"fmt"
	"strings"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/spec"
)

// Snapshot is what decides, beside the journal of a run, whether its ready stages can start: its
// coordinator, the workers and the queues, as Redis had them at one moment.
type Snapshot struct {
	ListedState string // the state of the run in the list of runs: see [Run.StateName]
	Now         time.Time
	Workers     []fleet.Worker // live and silent ones

	// Capabilities has the handlers of the workers that have the key of the run.
	Capabilities *fleet.Capabilities

	Key    string            // fingerprint of the key that signed the run
	Paused map[string]string // by queue that is paused: the key in Redis that pauses it

	// TaskID returns the ID of the task of an attempt in its queue. Workers announce the tasks that
	// they have taken and not started by these IDs. Nil: reasons name no such worker.
	TaskID func(run, stage string, attempt int) string
}

// queueState sums up the live workers that listen on one queue.
type queueState struct {
	usable    bool   // one has the key of the run and can execute its stages
	otherKey  bool   // one has another key
	old       bool   // one has the key and cannot read the pipeline
	unhealthy string // one has the key and cannot execute stages: its ID, and why
	slots     int    // of the usable ones
	busy      int    // of these slots
	ready     int    // ready stages of this run on the queue
}

// Explainer says why stages are not running. It is made for one moment of a run.
type Explainer struct {
	run      *Run
	snapshot Snapshot
	state    string // of the run: see [Run.StateName]
	queues   map[string]*queueState

	// delivered has, by task ID, the worker that has taken the task and not started it.
	delivered map[string]string

	// running counts the running instances of each mapped stage that was asked about: a fan-out may
	// have 100,000.
	running map[dag.StageID]int
}

// Explain returns an explainer for the stages of a run.
func (r *Run) Explain(now Snapshot) *Explainer {
	e := &Explainer{
		run:       r,
		snapshot:  now,
		state:     r.StateName(now.ListedState),
		queues:    make(map[string]*queueState),
		delivered: make(map[string]string),
		running:   make(map[dag.StageID]int),
	}
	for _, w := range now.Workers {
		// The workers of a private run serve no other.
		if w.Serves(r.ID) {
			e.addWorker(w)
		}
	}

	// A reason says how many stages wait for the same slots. Runs of 100,000 stages are explained
	// twice a second, and often none is ready.
	if r.DAG.Count(dag.Ready) > 0 {
		for s := range r.DAG.Stages() {
			if r.DAG.State(s) == dag.Ready {
				e.queue(e.queueOf(s)).ready++
			}
		}
	}

	return e
}

// addWorker adds a worker to the queues on which it listens.
func (e *Explainer) addWorker(w fleet.Worker) {
	for _, task := range w.Delivered {
		e.delivered[task] = w.ID
	}

	for _, name := range w.Queues {
		q := e.queue(name)
		switch {
		case w.Key != e.snapshot.Key:
			q.otherKey = true
		case !w.Reads():
			q.old = true
		case w.Unhealthy != "":
			q.unhealthy = w.ID + ": " + w.Unhealthy
		default:
			q.usable = true
			q.slots += w.Slots
			q.busy += min(w.Busy, w.Slots)
		}
	}
}

func (e *Explainer) queue(name string) *queueState {
	q := e.queues[name]
	if q == nil {
		q = new(queueState)
		e.queues[name] = q
	}
	return q
}

// queueOf returns the queue of a stage, which may be an instance.
func (e *Explainer) queueOf(s dag.StageID) string {
	return e.run.Spec.Queue(e.run.DAG.GraphStage(s))
}

// kindOf returns what a stage, which may be an instance, executes.
func (e *Explainer) kindOf(s dag.StageID) *spec.Kind {
	return e.run.Spec.Kind(e.run.DAG.GraphStage(s))
}

// Reason returns why a stage is not running. It is false for a stage that runs or is finished.
func (e *Explainer) Reason(s dag.StageID) (api.Reason, bool) {
	state := e.run.DAG.State(s)
	if state.Terminal() || state == dag.Running {
		return api.Reason{}, false
	}

	// Without a coordinator nothing below can help: this comes first, whatever the stage waits for.
	// The texts still name the missing coordinator, which is what a person can do something about.
	switch unowned := !api.HasCoordinator(e.state); {
	case unowned && e.run.DAG.Cancelling():
		return api.Reason{Code: api.ReasonCancelling, Text: "the run is cancelled when a coordinator takes it"}, true
	case e.state == api.Queued:
		return api.Reason{Code: api.ReasonRunQueued, Text: "no coordinator has taken the run yet"}, true
	case e.state == api.Stalled:
		return api.Reason{Code: api.ReasonRunStalled, Text: "the coordinator of the run has stopped: the next one resumes the run"}, true
	}

	switch state {
	case dag.Waiting:
		return e.waiting(s), true
	case dag.Retrying:
		return e.retrying(s), true
	}

	return e.ready(s), true
}

// waiting names the dependencies that are not finished.
func (e *Explainer) waiting(s dag.StageID) api.Reason {
	const shown = 3

	// A mapped stage with instances has stopped waiting for its dependencies.
	if _, n, ok := e.run.DAG.Instances(s); ok {
		left := 0
		for i := range e.run.WithInstances(s) {
			if i != s && !e.run.DAG.State(i).Terminal() {
				left++
			}
		}
		return api.Reason{Code: api.ReasonDependencies, Text: fmt.Sprintf("waits for %d of its %d instances", left, n)}
	}

	// A stage may have 10,000 dependencies, so that not all are named.
	var names []string
	more := 0
	for _, d := range e.run.Spec.Graph.Deps(e.run.DAG.GraphStage(s)) {
		switch {
		case e.run.DAG.State(d).Terminal():
		case len(names) < shown:
			names = append(names, e.run.Name(d))
		default:
			more++
		}
	}

	text := "waits for " + strings.Join(names, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return api.Reason{Code: api.ReasonDependencies, Text: text}
}

// retrying says when the next attempt is due.
func (e *Explainer) retrying(s dag.StageID) api.Reason {
	retry := e.run.Retrying[s]

	// The local clock may be ahead of the clock of Redis, by which the attempt is due.
	wait := max(0, retry.Due.Sub(e.snapshot.Now)).Round(100 * time.Millisecond)

	why, _, _ := strings.Cut(retry.Text, "\n") // a reason is one line
	return api.Reason{Code: api.ReasonRetry, Text: fmt.Sprintf("attempt %d is due in %s: %s", retry.Attempt, wait, why)}
}

// ready says what keeps a ready stage from starting. It returns the first reason that holds, in
// the order in which a person has to act: a free slot does not help while no worker listens.
func (e *Explainer) ready(s dag.StageID) api.Reason {
	name := e.queueOf(s)
	kind := e.kindOf(s)

	// A stage that cleans up starts even in a run that is being cancelled.
	if e.state == api.Cancelling && kind.Trigger != dag.AllDone {
		return api.Reason{Code: api.ReasonCancelling, Text: "the run is being cancelled"}
	}

	if b, ok := e.block(name, kind.Task); ok {
		return b.Reason
	}
	if reason, ok := e.maxParallel(s, kind); ok {
		return reason
	}
	if worker := e.worker(s); worker != "" {
		return api.Reason{Code: api.ReasonBatch,
			Text: fmt.Sprintf("worker %s has taken it, and starts it when a slot is free", worker)}
	}

	q := e.queue(name)
	if q.busy >= q.slots {
		return api.Reason{Code: api.ReasonQueued,
			Text: fmt.Sprintf("queue %s has no free slot (%d of %d busy); ready stages: %d", name, q.busy, q.slots, q.ready)}
	}

	return api.Reason{Code: api.ReasonQueued, Text: fmt.Sprintf("is about to start on queue %s", name)}
}

// Block is why no live worker can execute the stages of a queue, or those of one task on it.
type Block struct {
	Reason api.Reason
	Queue  string

	// At most one of these is set.
	Task      string // the handler that no live worker on the queue has
	Unhealthy string // a worker on the queue that cannot execute stages, and why
	Paused    string // the key in Redis that pauses the queue
}

// block returns why no live worker can execute a task of a queue. It is false if one can.
func (e *Explainer) block(queue, task string) (Block, bool) {
	b := Block{Queue: queue}
	b.Reason.Code = api.ReasonNoWorker

	q := e.queue(queue)
	switch {
	// First: whatever workers there are, they get nothing from a paused queue.
	case e.snapshot.Paused[queue] != "":
		b.Paused = e.snapshot.Paused[queue]
		b.Reason.Code = api.ReasonPaused
		b.Reason.Text = fmt.Sprintf("queue %s is paused: resume it in asynqmon, or delete the key %s in Redis", queue, b.Paused)

	// Then the worker that is closest to being usable, since it is the least to repair.
	case !q.usable && q.unhealthy != "":
		b.Unhealthy = q.unhealthy
		b.Reason.Text = fmt.Sprintf("no live worker on queue %s can execute stages: %s", queue, b.Unhealthy)
	case !q.usable && q.otherKey:
		b.Reason.Code = api.ReasonKeyMismatch
		b.Reason.Text = fmt.Sprintf("the live workers on queue %s have another key than the run", queue)
	case !q.usable && q.old:
		b.Reason.Text = fmt.Sprintf("the live workers on queue %s are of a version that cannot read the pipeline", queue)
	case !q.usable:
		b.Reason.Text = fmt.Sprintf("no live worker listens on queue %s", queue)
	case e.snapshot.Capabilities != nil && e.snapshot.Capabilities.Lack(queue, task):
		b.Task = task
		b.Reason.Text = fmt.Sprintf("no live worker on queue %s has the handler %s", queue, task)
	default:
		return Block{}, false
	}

	return b, true
}

// worker returns the worker that has taken the task of a stage and not started it; empty if none
// has.
func (e *Explainer) worker(s dag.StageID) string {
	if len(e.delivered) == 0 || e.snapshot.TaskID == nil {
		return ""
	}
	return e.delivered[e.snapshot.TaskID(string(e.run.ID), e.run.Name(s), int(e.run.DAG.Attempt(s)))]
}

// maxParallel reports whether an instance waits because as many others run as its mapped stage
// allows.
func (e *Explainer) maxParallel(s dag.StageID, kind *spec.Kind) (api.Reason, bool) {
	mapped, _, instance := e.run.DAG.Instance(s)
	if !instance || kind.MaxParallel == 0 {
		return api.Reason{}, false
	}

	// Counted once for all instances: 100,000 that count 100,000 would take minutes.

	running, counted := e.running[mapped]
	if !counted {
		for i := range e.run.WithInstances(mapped) {
			if e.run.DAG.State(i) == dag.Running {
				running++
			}
		}
		e.running[mapped] = running
	}

	if running < kind.MaxParallel {
		return api.Reason{}, false
	}

	return api.Reason{Code: api.ReasonMaxParallel,
		Text: fmt.Sprintf("max_parallel allows %d at a time, and as many run", kind.MaxParallel)}, true
}
