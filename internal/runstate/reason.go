package runstate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/spec"
)

// Fleet is what decides, beside the journal, whether a stage that is ready can start.
type Fleet struct {
	State        string // of the run: one of the states of package api
	Now          time.Time
	Workers      []fleet.Worker      // live and silent ones
	Capabilities *fleet.Capabilities // tasks for which workers with the key of the run have handlers
	Key          string              // fingerprint of the key that signed the run
	Paused       map[string]string   // by queue that is paused: the key in Redis that pauses it

	// TaskID returns the ID under which an attempt is in its queue. Workers name the tasks that
	// they took and have not begun.
	TaskID func(run, stage string, attempt int) string
}

// queueState is what a [Fleet] says of one queue.
type queueState struct {
	usable  bool   // a live worker with the key of the run listens, and reads its format
	strange bool   // a live worker listens that has another key
	old     bool   // a live worker with the key listens that cannot read the pipeline
	ill     string // a live worker with the key listens that cannot execute stages: its ID, and why
	slots   int
	busy    int
	ready   int // stages of this run that are ready on the queue
}

// Explainer says why stages are not running. It is made for one moment of a run.
type Explainer struct {
	run    *Run
	fleet  Fleet
	queues map[string]*queueState

	delivered map[string]string // by task ID: the worker that took the task

	// running counts the running instances of each mapped stage that was asked about: a fan-out may
	// have 100,000.
	running map[dag.StageID]int
}

// Explain prepares reasons for all stages of a run.
func (r *Run) Explain(f Fleet) *Explainer {
	e := &Explainer{run: r, fleet: f, queues: make(map[string]*queueState), delivered: make(map[string]string),
		running: make(map[dag.StageID]int)}
	for _, w := range f.Workers {
		if !w.Serves(r.ID) {
			continue
		}

		for _, task := range w.Delivered {
			e.delivered[task] = w.ID
		}

		for _, name := range w.Queues {
			q := e.queue(name)
			switch {
			case w.Key != f.Key:
				q.strange = true
			case !w.Reads():
				q.old = true
			case w.Unhealthy != "":
				q.ill = w.ID + ": " + w.Unhealthy
			default:
				q.usable = true
				q.slots += w.Slots
				q.busy += min(w.Busy, w.Slots)
			}
		}
	}

	if r.State.Count(dag.Ready) > 0 {
		for s := range r.State.Stages() {
			if r.State.State(s) == dag.Ready {
				e.queue(r.queueOf(s)).ready++
			}
		}
	}

	return e
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
func (r *Run) queueOf(s dag.StageID) string {
	mapped, _, _ := r.State.Instance(s)
	return r.Spec.Queue(mapped)
}

// kindOf returns what a stage, which may be an instance, executes.
func (r *Run) kindOf(s dag.StageID) *spec.Kind {
	mapped, _, _ := r.State.Instance(s)
	return r.Spec.Kind(mapped)
}

// Reason returns why a stage is not running. It is false for a stage that runs or is finished.
func (e *Explainer) Reason(s dag.StageID) (api.Reason, bool) {
	state := e.run.State.State(s)
	if state.Terminal() || state == dag.Running {
		return api.Reason{}, false
	}

	switch e.fleet.State {
	case api.Queued:
		return api.Reason{Code: api.ReasonRunQueued, Text: "no coordinator has taken the run yet"}, true
	case api.Stalled:
		return api.Reason{Code: api.ReasonRunStalled, Text: "the coordinator of the run is dead"}, true
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

	if _, n, ok := e.run.State.Instances(s); ok {
		left := 0
		for i := range e.run.Family(s) {
			if i != s && !e.run.State.State(i).Terminal() {
				left++
			}
		}
		return api.Reason{Code: api.ReasonDependencies, Text: fmt.Sprintf("waits for %d of its %d instances", left, n)}
	}

	mapped, _, _ := e.run.State.Instance(s)
	var names []string
	more := 0
	for _, d := range e.run.Spec.Graph.Deps(mapped) {
		switch {
		case e.run.State.State(d).Terminal():
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
	p := e.run.Pauses[s]
	wait := max(0, p.Until.Sub(e.fleet.Now)).Round(100 * time.Millisecond)
	why, _, _ := strings.Cut(p.Text, "\n")
	return api.Reason{Code: api.ReasonRetry, Text: fmt.Sprintf("attempt %d is due in %s: %s", p.Attempt, wait, why)}
}

// ready says what keeps a stage from starting whose dependencies are done. The first reason that
// holds is the one that somebody has to act on first.
func (e *Explainer) ready(s dag.StageID) api.Reason {
	name := e.run.queueOf(s)
	q := e.queue(name)
	kind := e.run.kindOf(s)

	switch {
	case e.fleet.State == api.Cancelling && kind.Trigger != dag.AllDone:
		return api.Reason{Code: api.ReasonCancelling, Text: "the run is being cancelled"}
	case e.fleet.Paused[name] != "":
		return api.Reason{Code: api.ReasonPaused,
			Text: fmt.Sprintf("queue %s is paused: resume it in asynqmon, or delete the key %s in Redis", name, e.fleet.Paused[name])}
	case !q.usable && q.ill != "":
		return api.Reason{Code: api.ReasonNoWorker,
			Text: fmt.Sprintf("no live worker on queue %s can execute stages: %s", name, q.ill)}
	case !q.usable && q.strange:
		return api.Reason{Code: api.ReasonKeyMismatch,
			Text: fmt.Sprintf("the live workers on queue %s have another key than the run", name)}
	case !q.usable && q.old:
		return api.Reason{Code: api.ReasonNoWorker,
			Text: fmt.Sprintf("the live workers on queue %s are of a version that cannot read the pipeline", name)}
	case !q.usable:
		return api.Reason{Code: api.ReasonNoWorker, Text: fmt.Sprintf("no live worker listens on queue %s", name)}
	case e.fleet.Capabilities != nil && e.fleet.Capabilities.Lack(name, kind.Task):
		return api.Reason{Code: api.ReasonNoWorker,
			Text: fmt.Sprintf("no live worker on queue %s has the handler %s", name, kind.Task)}
	}

	if reason, ok := e.maxParallel(s, kind); ok {
		return reason
	}
	if worker := e.worker(s); worker != "" {
		return api.Reason{Code: api.ReasonBatch,
			Text: fmt.Sprintf("worker %s has taken it, and starts it when a slot is free", worker)}
	}
	if q.busy >= q.slots {
		return api.Reason{Code: api.ReasonQueued,
			Text: fmt.Sprintf("queue %s has no free slot (%d of %d busy); ready stages: %d", name, q.busy, q.slots, q.ready)}
	}

	return api.Reason{Code: api.ReasonQueued, Text: fmt.Sprintf("is about to start on queue %s", name)}
}

// worker returns the worker that has taken the task of a stage and has not begun it; empty if none
// has.
func (e *Explainer) worker(s dag.StageID) string {
	if len(e.delivered) == 0 || e.fleet.TaskID == nil {
		return ""
	}
	return e.delivered[e.fleet.TaskID(string(e.run.ID), e.run.Name(s), int(e.run.State.Attempt(s)))]
}

// maxParallel reports whether an instance is kept back because as many others run as its stage
// allows.
func (e *Explainer) maxParallel(s dag.StageID, kind *spec.Kind) (api.Reason, bool) {
	mapped, _, instance := e.run.State.Instance(s)
	if !instance || kind.MaxParallel == 0 {
		return api.Reason{}, false
	}

	running, counted := e.running[mapped]
	if !counted {
		for i := range e.run.Family(mapped) {
			if e.run.State.State(i) == dag.Running {
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

// Waiting returns the stages that are neither running nor finished, each with its reason, in the
// order of the pipeline.
func (e *Explainer) Waiting() []api.WaitingStage {
	list := []api.WaitingStage{}
	for s := range e.run.State.Stages() {
		if reason, ok := e.Reason(s); ok {
			list = append(list, api.WaitingStage{Stage: e.run.Name(s), State: e.run.State.State(s).String(), Reason: reason})
		}
	}
	return list
}

// Unserved are stages that are ready, and that no live worker can run or is given.
type Unserved struct {
	Queue string
	// the handler that no worker on the queue has; empty: no worker listens that can run stages of
	// the run
	Task   string
	Code   string // why: one of the codes of [api.Reason]
	Stages int

	// Unhealthy names a worker on the queue that cannot execute stages, and says why.
	Unhealthy string

	Paused string // the key in Redis that pauses the queue; empty: the queue is not paused
}

// Unserved returns what no live worker can run, by queue and task. It is empty unless the run is
// running.
func (e *Explainer) Unserved() []Unserved {
	if e.fleet.State != api.Running || e.run.State.Count(dag.Ready) == 0 {
		return nil
	}

	counts := make(map[Unserved]int)
	for s := range e.run.State.Stages() {
		if e.run.State.State(s) != dag.Ready {
			continue
		}

		u := Unserved{Queue: e.run.queueOf(s)}
		q := e.queue(u.Queue)
		switch task := e.run.kindOf(s).Task; {
		case e.fleet.Paused[u.Queue] != "":
			u.Code = api.ReasonPaused
			u.Paused = e.fleet.Paused[u.Queue]
		case !q.usable && q.ill != "":
			u.Code = api.ReasonNoWorker
			u.Unhealthy = q.ill
		case !q.usable && q.strange:
			u.Code = api.ReasonKeyMismatch
		case !q.usable:
			u.Code = api.ReasonNoWorker
		case e.fleet.Capabilities != nil && e.fleet.Capabilities.Lack(u.Queue, task):
			u.Code = api.ReasonNoWorker
			u.Task = task
		default:
			continue
		}

		counts[u]++
	}

	var list []Unserved
	for u, n := range counts {
		u.Stages = n
		list = append(list, u)
	}

	slices.SortFunc(list, func(a, b Unserved) int {
		return cmp.Or(strings.Compare(a.Task, b.Task), strings.Compare(a.Queue, b.Queue))
	})
	return list
}
