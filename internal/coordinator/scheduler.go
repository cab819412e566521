package coordinator

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
)

// workers is what the scheduler knows of live workers.
type workers interface {
	// Slots returns how many stages the workers of a queue can execute at once.
	Slots(queue string) int
	// Lack reports whether workers listen on the queue, but none has a handler for the task.
	Lack(queue, task string) bool
}

// reason is why a stage cannot be sent, in the word that test scripts print. The zero reason admits
// the stage.
type reason string

const (
	admitted    reason = ""
	notReady    reason = "not_ready"    // a worker could not claim it, or it is in flight
	pausing     reason = "retry"        // its next attempt must not start yet
	noHandler   reason = "no_worker"    // workers listen on its queue, and none has a handler
	maxParallel reason = "max_parallel" // as many instances are in flight as may be
)

// scheduler decides which ready stages are sent, in which order and in which batches. It is
// pure: it has no clock, reads nothing and sends nothing.
//
// Stages that are not admitted wait apart from the ready ones. They return when their reason is
// gone.
type scheduler struct {
	stages    *stages
	inflight  *inFlight
	timers    *timers
	workers   workers
	durations *spec.Durations

	remaining []uint32 // by stage of the graph: longest path to the end of the pipeline
	ready     map[string]*readyQueue
	blocked   map[requirement][]dag.StageID // by requirement without a handler
	held      map[dag.StageID][]dag.StageID // by mapped stage: instances held by max_parallel
	required  []requirement                 // of all stages of the pipeline
	lacking   bool                          // the handler of a requirement is missing

	maxBatch int  // stages in a batch at most
	fuse     bool // stages of a chain may share a batch
	// stages that a batch may have now: grows while batches of this size end
	size int
}

func newScheduler(st *stages, f *inFlight, t *timers, w workers, maxBatch int, fuse bool) *scheduler {
	if maxBatch <= 0 {
		maxBatch = defaultMaxBatch
	}
	return &scheduler{
		stages: st, inflight: f, timers: t, workers: w, durations: spec.NewDurations(st.spec),
		remaining: st.spec.Graph.Remaining(), ready: make(map[string]*readyQueue),
		blocked: make(map[requirement][]dag.StageID), held: make(map[dag.StageID][]dag.StageID),
		required: requirements(st.spec), maxBatch: maxBatch, fuse: fuse, size: 1,
	}
}

// requirements lists what workers must meet for the stages of a pipeline, each once.
func requirements(sp *spec.Spec) []requirement {
	set := make(map[requirement]bool)
	for _, k := range sp.Kinds() {
		set[requirement{cmp.Or(k.Queue, spec.DefaultQueue), k.Task}] = true
	}
	return slices.Collect(maps.Keys(set))
}

// admit returns why a stage cannot be sent now, or [admitted].
func (sc *scheduler) admit(s dag.StageID) reason {
	if !sc.stages.claimable(s) || sc.inflight.has(s) {
		return notReady
	}
	if sc.timers.pausing(s, sc.stages.state.Attempt(s)) {
		return pausing
	}

	// Almost always every handler is there: then no stage pays for the look-up.
	if sc.lacking {
		if r := sc.stages.requirement(s); sc.workers.Lack(r.queue, r.task) {
			return noHandler
		}
	}

	if mapped, limit, limited := sc.stages.limited(s); limited && sc.inflight.parallel[mapped] >= limit {
		return maxParallel
	}
	return admitted
}

// add takes in a stage that has become ready.
func (sc *scheduler) add(s dag.StageID) {
	if why := sc.admit(s); why != admitted {
		sc.wait(s, why)
		return
	}

	queue := sc.stages.queue(s)
	r := sc.ready[queue]
	if r == nil {
		r = new(readyQueue)
		sc.ready[queue] = r
	}
	r.add(s, sc.stages.kind(s).Priority, sc.remaining[sc.stages.state.GraphStage(s)])
}

// wait puts a stage aside for a reason.
func (sc *scheduler) wait(s dag.StageID, why reason) {
	switch why {
	case noHandler:
		r := sc.stages.requirement(s)
		sc.blocked[r] = append(sc.blocked[r], s)
	case maxParallel:
		mapped, _, _ := sc.stages.limited(s)
		sc.held[mapped] = append(sc.held[mapped], s)
	case notReady, pausing:
		// The next record about the stage, or its timer, adds it again.
	}
}

// workersChanged lets stages continue whose handler a worker has now.
func (sc *scheduler) workersChanged() {
	sc.lacking = slices.ContainsFunc(sc.required, func(r requirement) bool { return sc.workers.Lack(r.queue, r.task) })
	for r, waiting := range sc.blocked {
		if sc.workers.Lack(r.queue, r.task) {
			continue
		}

		delete(sc.blocked, r)
		for _, s := range waiting {
			sc.add(s)
		}
	}
}

// completed takes in that the attempt of a stage, which was in this batch, is no longer in flight.
func (sc *scheduler) completed(s dag.StageID, b *batch) {
	if mapped, _, limited := sc.stages.limited(s); limited {
		sc.release(mapped)
	}

	// A batch of the largest size has ended, so the stages are as short as expected: larger batches
	// cannot hold up others for long.
	if b.left == 0 && len(b.stages) == sc.size {
		sc.size = min(4*sc.size, sc.maxBatch)
	}
}

// release adds the next instance that max_parallel has held.
func (sc *scheduler) release(mapped dag.StageID) {
	for len(sc.held[mapped]) > 0 {
		s := sc.held[mapped][0]
		why := sc.admit(s)
		if why == maxParallel {
			return // an attempt of another coordinator has taken the place
		}

		// An instance that was cancelled, say, must not keep the place from the next one.
		sc.held[mapped] = sc.held[mapped][1:]
		sc.add(s)
		if why == admitted {
			return
		}
	}
}

// schedule returns the batches of a queue that should be sent now.
func (sc *scheduler) schedule(queue string) []*batch {
	ready := sc.ready[queue]
	slots := sc.workers.Slots(queue)

	// The share is that of all stages that are ready now: if each batch took its share of the rest,
	// the last ones would be small.
	share := (ready.Len() + max(1, slots) - 1) / max(1, slots)

	// Enough batches that no worker waits for the coordinator, and no more: a stage that becomes
	// ready later and matters more must not be behind many others.
	window := 2*slots + 2

	var batches []*batch
	for sc.inflight.batches[queue] < window && !sc.worthWaiting(queue, ready) {
		b := sc.pack(queue, ready, share)
		if b == nil {
			break
		}
		batches = append(batches, b)
	}
	return batches
}

// front returns the first stage of a queue that is admitted now. It removes those before it: they
// were claimed or decided since they became ready, or have to wait.
func (sc *scheduler) front(ready *readyQueue) (first dag.StageID, ok bool) {
	for ready.Len() > 0 {
		s := ready.peek()
		why := sc.admit(s)
		if why == admitted {
			return s, true
		}
		ready.pop()
		sc.wait(s, why)
	}
	return 0, false
}

// learn takes in how long an attempt of a stage took.
func (sc *scheduler) learn(s dag.StageID, took time.Duration) {
	if _, _, gathers := sc.stages.state.Instances(s); gathers {
		return // it only collected outputs, which says nothing about its handler
	}
	sc.durations.Learn(sc.stages.state.GraphStage(s), took)
}
