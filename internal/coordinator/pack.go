package coordinator

import (
	"fmt"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/queue"
)

// What a bundle may carry.
const (
	bundleTime = 16 * time.Millisecond  // of work, going by what such stages took before
	stageCost  = 10 * time.Microsecond  // what any stage costs besides
	taskCost   = 200 * time.Microsecond // less work than this is not worth another task
	// less work than this waits for company while all workers have something to do
	worthSending = 400 * time.Microsecond
	defaultLimit = 256 // stages
)

func (d *Driver) maxBundle() int {
	if d.MaxBatch > 0 {
		return d.MaxBatch
	}
	return defaultLimit
}

// pack makes a bundle of ready stages: as many as fill the bundle's time, but not more than a fair
// share of what is ready, so that no worker idles while another has a long bundle. A stage that
// takes long, or of which nothing is known, travels alone. With a stage travel those that nothing
// else must precede, one after the other. It is nil if nothing is ready.
func (d *Driver) pack(queue string, ready *readyQueue, share int) *bundle {
	b := &bundle{queue: queue, touched: time.Now()}
	for d.trim(ready) > 0 {
		s := ready.first()
		if d.heldBack(s) {
			ready.pop()
			continue
		}

		fits := d.fits(s, b)
		if len(b.stages) > 0 && (!fits || len(b.stages) >= share && (b.guesses > 0 || b.work > taskCost)) {
			break
		}

		d.board(ready.pop(), b)
		if !fits {
			break
		}

		d.fuse(s, b)
	}

	if len(b.stages) == 0 {
		return nil
	}

	b.id = d.taskID(b)
	return b
}

// trim takes stages off the front that were claimed, or decided upon, since they became ready, and
// returns how many are left.
func (d *Driver) trim(ready *readyQueue) int {
	for ready.Len() > 0 && (!d.claimable(ready.first()) || d.flights[ready.first()] != nil) {
		ready.pop()
	}
	return ready.Len()
}

// share is how many of the stages that are ready each slot should get, so that no worker idles
// while another has a long bundle.
func (d *Driver) share(queue string, ready *readyQueue) int {
	slots := max(1, d.workers.slots[queue])
	return (ready.Len() + slots - 1) / slots
}

// tooFew reports whether what is ready should wait for what becomes ready next: it is soon
// executed, and all workers have something to do. Where something waits for each of them besides,
// only a full bundle is sent: others would fill the window with little in each.
func (d *Driver) tooFew(queue string, ready *readyQueue) bool {
	if d.trim(ready) == 0 || d.inFlight[queue] < d.workers.slots[queue] {
		return false
	}

	cost, _, most := d.cost(ready.first())
	if most <= 1 || ready.Len() >= min(d.largest, most) {
		return false
	}

	enough := worthSending
	if d.inFlight[queue] >= 2*d.workers.slots[queue] {
		enough = bundleTime
	}
	return time.Duration(ready.Len())*cost < enough
}

// fuse lets the only dependent of a stage travel with it, if it depends on nothing else, and so on.
func (d *Driver) fuse(s dag.StageID, b *bundle) {
	for !d.NoFuse && int(s) < d.spec.Graph.Len() {
		next := d.spec.Graph.Dependents(s)
		if len(next) != 1 || d.state.State(next[0]) != dag.Waiting || d.spec.Queue(next[0]) != b.queue || d.flights[next[0]] != nil || !d.fits(next[0], b) {
			return
		}
		if _, behind := d.spec.Behind(next[0]); !behind {
			return
		}

		s = next[0]
		d.board(s, b)
	}
}

// fits reports whether a stage may travel with what is in the bundle already, or others with it.
func (d *Driver) fits(s dag.StageID, b *bundle) bool {
	cost, guess, most := d.cost(s)
	return len(b.stages) < d.largest && b.work+cost <= bundleTime && (!guess && most > 1 || b.guesses < most)
}

// cost returns how much of a bundle's time a stage takes, whether that is a guess, and how many
// such stages may travel together: none if nothing is known of them. A stage that was begun before
// travels alone too: it may have cost its worker, and would cost those that it travels with another
// attempt. So do one for cleaning up, which goes on when others are stopped, and one that gathers
// what others have done.
func (d *Driver) cost(s dag.StageID) (cost time.Duration, guess bool, most int) {
	g := d.graphStage(s)
	took, known := d.durations.Of(g)
	most = defaultLimit
	if !known {
		took, most = d.durations.Guess(g)
	}

	if kind := d.spec.Kind(g); d.state.Attempt(s) > 1 || kind.Trigger == dag.AllDone || kind.Gather || kind.ForEach != "" && g == s {
		most = 0
	}
	return took + stageCost, !known, most
}

func (d *Driver) board(s dag.StageID, b *bundle) {
	cost, guess, _ := d.cost(s)
	b.stages = append(b.stages, s)
	b.work = b.work + cost
	if guess {
		b.guesses++
	}
	d.takeOff(s, b)
}

// taskID of a single stage is the same for every coordinator that comes to dispatch the attempt:
// what is in the queue already is not added again. Any other bundle has an id of its own, since
// nobody else would pack the same one.
func (d *Driver) taskID(b *bundle) string {
	first := b.stages[0]
	id := queue.TaskID(string(d.run), d.state.Name(first), int(d.flights[first].attempt))
	if len(b.stages) > 1 {
		d.packed++
		id += fmt.Sprintf("+%d.%d.%d", len(b.stages)-1, d.epoch, d.packed)
	}

	if d.lives > 1 { // one of an earlier life may still be there, which workers refuse
		id += fmt.Sprintf("!%d", d.lives)
	}

	if d.resent > 0 {
		id += fmt.Sprintf("~%d", d.resent)
	}
	return id
}
