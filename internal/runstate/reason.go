package runstate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/spec"
)

// Fleet is what decides, beside the journal, whether a ready stage can start.
type Fleet struct {
	State   string // of the run in the list of runs, which knows about the coordinator
	Now     time.Time
	Workers []fleet.Worker // live and silent ones
	// tasks for which workers with the key of the run have handlers
	Capabilities *fleet.Capabilities
	Key          string            // fingerprint of the key that signed the run
	Paused       map[string]string // by queue that is paused: the key in Redis that pauses it

	// TaskID returns the ID under which an attempt is in its queue. Workers name the tasks that
	// they took and have not begun.
	TaskID func(run, stage string, attempt int) string
}

// queueState is what a [Fleet] says of one queue.
type queueState struct {
	usable    bool   // a live worker with the key of the run listens, and can run its stages
	otherKey  bool   // a live worker listens that has another key
	old       bool   // a live worker with the key listens that cannot read the pipeline
	unhealthy string // a live worker with the key that cannot execute stages: its ID, and why
	slots     int
	busy      int
	ready     int // ready stages of this run on the queue
}

// Explainer says why stages are not running. It is made for one moment of a run.
type Explainer struct {
	run    *Run
	fleet  Fleet
	state  string // of the run: see [Run.StateName]
	queues map[string]*queueState

	delivered map[string]string // by task ID: the worker that took the task

	// running counts the running instances of each mapped stage that was asked about: a fan-out may
	// have 100,000.
	running map[dag.StageID]int
}

// Explain prepares reasons for all stages of a run.
func (r *Run) Explain(f Fleet) *Explainer {
	e := &Explainer{
		run:       r,
		fleet:     f,
		state:     r.StateName(f.State),
		queues:    make(map[string]*queueState),
		delivered: make(map[string]string),
		running:   make(map[dag.StageID]int),
	}
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

	// The state still says that a coordinator is missing, for that is what to do something about.
	switch unowned := !api.HasCoordinator(e.state); {
	case unowned && e.run.State.Cancelling():
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

// ready says what keeps a ready stage from starting. It returns the first reason that holds, in
// the order in which a person has to act: a free slot does not help while no worker listens.
func (e *Explainer) ready(s dag.StageID) api.Reason {
	name := e.run.queueOf(s)
	kind := e.run.kindOf(s)

	// A stage that cleans up starts even then.
	if e.state == api.Cancelling && kind.Trigger != dag.AllDone {
		return api.Reason{Code: api.ReasonCancelling, Text: "the run is being cancelled"}
	}

	if b, ok := e.blocked(name, kind.Task); ok {
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

// Block is why no live worker can run the stages of a queue, or those of one task on it.
type Block struct {
	Reason api.Reason
	Queue  string

	// Of these at most one is set.
	Task      string // the handler that no live worker on the queue has
	Unhealthy string // a worker on the queue that cannot execute stages, and why
	Paused    string // the key in Redis that pauses the queue
}

// blocked returns what keeps every live worker from running a task of a queue.
func (e *Explainer) blocked(queue, task string) (Block, bool) {
	b := Block{Queue: queue}
	b.Reason.Code = api.ReasonNoWorker

	q := e.queue(queue)
	switch {
	case e.fleet.Paused[queue] != "":
		b.Paused = e.fleet.Paused[queue]
		b.Reason.Code = api.ReasonPaused
		b.Reason.Text = fmt.Sprintf("queue %s is paused: resume it in asynqmon, or delete the key %s in Redis", queue, b.Paused)
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
	case e.fleet.Capabilities != nil && e.fleet.Capabilities.Lack(queue, task):
		b.Task = task
		b.Reason.Text = fmt.Sprintf("no live worker on queue %s has the handler %s", queue, task)
	default:
		return Block{}, false
	}

	return b, true
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

// Group is a number of ready stages that one reason keeps from starting.
type Group struct {
	Block  // without a queue if a worker, or the run itself, makes the stages wait
	Stages int
	First  []dag.StageID // the first of them in the order of the pipeline, at most [GroupNames]
}

// GroupNames is the number of stages that a [Group] names.
const GroupNames = 3

// Blocked reports whether no live worker can run the stages of the group.
func (g *Group) Blocked() bool { return g.Queue != "" }

// String says how many stages wait, and why.
func (g *Group) String() string {
	if g.Stages == 1 {
		return "1 stage waits: " + g.Reason.Text
	}
	return fmt.Sprintf("%d stages wait: %s", g.Stages, g.Reason.Text)
}

// Groups returns the ready stages by reason. Those that no live worker can run come first: only
// they need a person. Else the order is that of the pipeline.
func (e *Explainer) Groups() []Group {
	if e.run.State.Count(dag.Ready) == 0 {
		return nil
	}

	var groups []Group
	index := make(map[api.Reason]int)
	for s := range e.run.State.Stages() {
		if e.run.State.State(s) != dag.Ready {
			continue
		}

		reason, _ := e.Reason(s)
		i, known := index[reason]
		if !known {
			i = len(groups)
			index[reason] = i
			groups = append(groups, Group{Block: e.blockOf(s, reason)})
		}

		g := &groups[i]
		g.Stages++
		if len(g.First) < GroupNames {
			g.First = append(g.First, s)
		}
	}

	slices.SortStableFunc(groups, func(a, b Group) int {
		switch {
		case a.Blocked() == b.Blocked():
			return 0
		case a.Blocked():
			return -1
		}
		return 1
	})
	return groups
}

// blockOf returns the block that a reason of a stage is about, or one with nothing but the reason.
func (e *Explainer) blockOf(s dag.StageID, reason api.Reason) Block {
	if b, ok := e.blocked(e.run.queueOf(s), e.run.kindOf(s).Task); ok && b.Reason == reason {
		return b
	}
	return Block{Reason: reason}
}

// Unreachable returns the group of all ready stages while Redis is unreachable. Nothing else is
// known of them then.
func Unreachable(ready int) Group {
	return Group{Stages: ready, Block: Block{Reason: api.Reason{Code: api.ReasonRedis, Text: "Redis is unreachable"}}}
}

// StateName returns the word for the state of the run: see package api. The list of runs, which
// knows about the coordinator, says listed.
func (r *Run) StateName(listed string) string {
	switch {
	case r.State.Finished():
		return r.State.Outcome().String()
	case !api.HasCoordinator(listed):
		return listed
	case r.State.Cancelling() || listed == api.Cancelling:
		return api.Cancelling
	}

	return api.Running
}
