package coordinator

import (
	"time"

	"github.com/godags/godags/dag"
)

// The limits of a batch and of what is sent, from the smallest to the largest:
//
//	cost.most           stages such as this one that may share a batch; 0: it travels alone
//	share               of schedule: ready stages divided by slots, so that no worker idles
//	scheduler.size      stages in a batch for now; four times as many after a full batch ended
//	scheduler.maxBatch  stages in a batch ever: 256, or Config.MaxBatch
//	window              of schedule: batches of a queue in flight, two for each slot and two more
const (
	batchWork  = 16 * time.Millisecond  // expected work in a batch at most
	stageCost  = 10 * time.Microsecond  // what each stage costs besides its own time
	taskCost   = 200 * time.Microsecond // what a task costs: less work is not worth another task
	worthATask = 400 * time.Microsecond // less work waits for more while all workers are busy

	defaultMaxBatch = 256
)

// load is the expected work of the stages of a batch.
type load struct {
	work    time.Duration
	guesses int // stages whose duration is a guess
}

// cost is what a stage adds to the load of a batch.
type cost struct {
	work  time.Duration
	guess bool
	// how many such stages may share a batch, or how many guesses; 0: it travels alone
	most int
}

// pack makes a batch of ready stages, or returns nil if none is admitted. It takes as many as fill
// a batch, but no more than a worker's share: no worker must idle while another has a long batch.
func (sc *scheduler) pack(queue string, ready *readyQueue, share int) *batch {
	b := &batch{queue: queue}
	for {
		s, ok := sc.front(ready)
		if !ok {
			break
		}

		fits := sc.fits(s, b)
		n := len(b.stages)

		// Guesses make no larger batch than a share, however little work they seem to be.
		full := n >= share && (b.load.guesses > 0 || b.load.work > taskCost)
		if n > 0 && (!fits || full) {
			break
		}

		ready.pop()
		sc.addToBatch(s, b)
		if !fits {
			break // it takes long, or nothing is known of it: it travels alone
		}
		sc.addChain(s, b)
	}

	if len(b.stages) == 0 {
		return nil
	}
	return b
}

// worthWaiting reports whether the ready stages should wait for others that become ready: they are
// little work, and all workers are busy.
func (sc *scheduler) worthWaiting(queue string, ready *readyQueue) bool {
	slots := sc.workers.Slots(queue)
	sent := sc.inflight.batches[queue]
	if sent < slots {
		return false
	}
	first, ok := sc.front(ready)
	if !ok {
		return false
	}

	c := sc.costOf(first)
	if c.most <= 1 || ready.Len() >= min(sc.size, c.most) {
		return false
	}

	// Where a batch waits for each worker besides the running one, only a full batch is sent:
	// otherwise many small ones would fill the window.
	enough := worthATask
	if sent >= 2*slots {
		enough = batchWork
	}
	return time.Duration(ready.Len())*c.work < enough
}

// addChain adds the stages that follow s and depend on nothing else, one after the other.
func (sc *scheduler) addChain(s dag.StageID, b *batch) {
	for sc.fuse {
		next, ok := sc.stages.chainNext(s)
		if !ok || sc.inflight.has(next) || sc.stages.queue(next) != b.queue || !sc.fits(next, b) {
			return
		}

		// A worker executes it as soon as s has succeeded, without asking: its trigger and its
		// dependencies must allow that.
		if _, behind := sc.stages.spec.Behind(next); !behind {
			return
		}

		sc.addToBatch(next, b)
		s = next
	}
}

// fits reports whether a stage may share a batch with what is in it, and with others after it.
func (sc *scheduler) fits(s dag.StageID, b *batch) bool {
	c := sc.costOf(s)
	if len(b.stages) >= sc.size || b.load.work+c.work > batchWork {
		return false
	}
	if c.guess {
		return b.load.guesses < c.most
	}
	return c.most > 0
}

// costOf returns what a stage adds to a batch.
func (sc *scheduler) costOf(s dag.StageID) cost {
	g := sc.stages.state.GraphStage(s)
	took, known := sc.durations.Of(g)
	most := defaultMaxBatch
	if !known {
		took, most = sc.durations.Guess(g)
	}

	kind := sc.stages.spec.Kind(g)
	switch {
	case sc.stages.state.Attempt(s) > 1:
		// It may have killed its worker, and would cost the stages of its batch an attempt too.
		most = 0
	case kind.Trigger == dag.AllDone:
		// It cleans up: it continues while the others of a batch are being stopped.
		most = 0
	case kind.Gather, kind.ForEach != "" && g == s:
		// It collects the outputs of instances, which no learned duration tells anything about.
		most = 0
	}
	return cost{took + stageCost, !known, most}
}

// addToBatch adds a stage to a batch.
func (sc *scheduler) addToBatch(s dag.StageID, b *batch) {
	c := sc.costOf(s)
	b.stages = append(b.stages, s)
	b.load.work += c.work
	if c.guess {
		b.load.guesses++
	}

	// At once, and not when the batch is sent: max_parallel and the window count it from here on.
	sc.inflight.track(s, b)
}
