// Package coordinator drives runs: it reads a run's journal, asks the run's state machine what
// follows, records decisions and hands stages that are ready to the queue.
package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/spec"
)

// Queue takes bundles to workers.
type Queue interface {
	EnqueueAll(ctx context.Context, queue string, tasks ...queue.Task) error
	Pending(queue, id string) (bool, error)
	Remove(queue, id string) error
	Paused(queue string) (key string, err error)
	PassedOn(queue string) (first map[string]bool, err error)
}

// Lease is how long a coordinator that says nothing is left in charge of a run.
const Lease = 3 * time.Second

// tickEvery is how often a driver looks after its lease, the workers, and stages that are overdue.
const tickEvery = 500 * time.Millisecond

// Config says what a driver works with. Dead, Hurry, Observe, Reread, Unserved may be nil.
type Config struct {
	ID string // of the coordinator
	// fingerprint of the key with which it signs: workers with another one do not count
	Key         string
	Incarnation string // of the run: see [journal.Identity]
	Journal     *journal.Journal
	Fleet       *fleet.Fleet
	Queue       Queue
	Logger      *slog.Logger
	// how long workers have for stopping their stages when the run is cancelled
	Grace time.Duration

	MaxBatch int  // stages in one task at the most; 0 means 256, 1 that every stage travels alone
	NoFuse   bool // a stage does not travel together with the one that it depends on

	// how long stages may be without a worker that could execute them; 0: for ever
	NoWorker time.Duration

	Dead <-chan string // ids of workers that are known to be dead
	// closed when a run that is being cancelled must not wait for its stages any more, whatever the
	// grace
	Hurry   <-chan struct{}
	Observe func([]journal.Entry) // is told every entry of the journal, in order
	// is told that the journal has lost its end, and that Observe begins again
	Reread   func()
	Unserved func(list []fleet.Unschedulable) // is told twice a second what no worker can execute
}

// Driver drives one run. Its state is what the journal says, plus what it has handed to the queue.
type Driver struct {
	Config
	run    journal.RunID
	spec   *spec.Spec
	digest string
	epoch  int64

	state    *dag.Run
	position string // of the last journal entry that was applied
	ready    *readyQueues
	flights  map[dag.StageID]*flight
	inFlight map[string]int    // bundles by queue
	paused   map[string]string // by queue that is paused, the key in Redis that pauses it
	// stages that a bundle may have; it grows as bundles of this size come to their end
	largest int
	packed  int // bundles of several stages
	resent  int // bundles that got lost
	// how often the run has begun: 1, and one more for each time that it was reopened
	lives     int
	durations *spec.Durations
	crashes   map[dag.StageID]int
	losses    map[dag.StageID]int // attempts that were begun and lost, for whatever reason
	// that wait until their time has come after several losses
	delayed map[dag.StageID]dag.Attempt
	// tasks in the queue that nobody should take any more, with their queues
	unwanted map[string]string
	workers  workers
	needs    []need                 // of all stages
	lacking  bool                   // some need is of a handler that no worker has
	parked   map[need][]dag.StageID // ready stages for which no worker has a handler
	stopping time.Time              // when the driver learned that the run is being cancelled
	timers   timers
	parallel map[dag.StageID]*parallel // by template
	// entries of the journal with the success of stages for whose elements there are instances
	lists map[dag.StageID]string
}

// Drive brings a run to its end: first it learns from the journal how far the run is, then it goes
// on from there. It returns when the run is finished, when ctx is done, or with [journal.ErrFenced]
// or [journal.ErrNotFound]. The caller has acquired the epoch.
//
// A Redis that comes back from a crash, or a replica that takes its place, may lack what was
// recorded last. The driver then begins again with what the journal has.
func Drive(ctx context.Context, cfg Config, run journal.RunID, sp *spec.Spec, digest string, epoch int64) (*dag.Run, error) {
	for {
		state, err := drive(ctx, cfg, run, sp, digest, epoch)
		if !errors.Is(err, journal.ErrTruncated) {
			return state, err
		}
		cfg.Logger.Warn("Redis has lost what it recorded last: going on from what it has", "run", run)
		if cfg.Reread != nil {
			cfg.Reread()
		}
	}
}

func drive(ctx context.Context, cfg Config, run journal.RunID, sp *spec.Spec, digest string, epoch int64) (*dag.Run, error) {
	d := &Driver{
		Config: cfg, run: run, spec: sp, digest: digest, epoch: epoch,
		state: dag.NewRun(sp.Graph, sp.Rules()), position: journal.Start, ready: newReadyQueues(sp),
		largest: 1, durations: spec.NewDurations(sp),
		flights: make(map[dag.StageID]*flight), inFlight: make(map[string]int), paused: make(map[string]string), crashes: make(map[dag.StageID]int),
		losses: make(map[dag.StageID]int), delayed: make(map[dag.StageID]dag.Attempt),
		unwanted: make(map[string]string), workers: newWorkers(), needs: needsOf(sp), parked: make(map[need][]dag.StageID),
		parallel: make(map[dag.StageID]*parallel), lists: make(map[dag.StageID]string),
	}

	d.timers.timer = time.NewTimer(time.Hour)
	defer d.timers.timer.Stop()

	if err := d.replay(ctx); err != nil {
		return d.state, err
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	entries, failed := d.follow(ctx)
	return d.state, d.loop(ctx, entries, failed)
}

// replay applies what the journal has already. Like everything after it, it waits for a Redis that
// is away.
func (d *Driver) replay(ctx context.Context) error {
	for {
		entries, err := d.Journal.Read(ctx, d.run, d.position, 0)
		switch {
		case errors.Is(err, journal.ErrDamaged), errors.Is(err, journal.ErrTruncated):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			d.Logger.Warn("cannot read the journal, will try again", "run", d.run, "error", err)
			select {
			case <-time.After(tickEvery):
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}

		case len(entries) == 0:
			return nil
		}

		if _, err := d.apply(entries, nil); err != nil {
			return err
		}
	}
}

// follow reads the journal from here on, in a goroutine that ends soon after ctx is done.
func (d *Driver) follow(ctx context.Context) (<-chan []journal.Entry, <-chan error) {
	entries := make(chan []journal.Entry, 4)
	failed := make(chan error, 1)
	position := d.position
	go func() {
		for ctx.Err() == nil {
			batch, err := d.Journal.Read(ctx, d.run, position, tickEvery)
			switch {
			case errors.Is(err, journal.ErrDamaged), errors.Is(err, journal.ErrTruncated):
				failed <- err
				return
			case err != nil:
				select { // Redis is away; the ticks of the main loop find out whether for good
				case <-time.After(tickEvery):
				case <-ctx.Done():
				}

			case len(batch) > 0:
				position = batch[len(batch)-1].ID
				select {
				case entries <- batch:
				case <-ctx.Done():
				}
			}
		}
	}()

	return entries, failed
}

func (d *Driver) loop(ctx context.Context, entries <-chan []journal.Entry, failed <-chan error) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()

	if err := d.tick(ctx); err != nil {
		return err
	}

	commands := d.state.Pending(nil)
	for {
		if err := d.carryOut(ctx, commands); err != nil {
			return err
		}

		if d.state.Finished() {
			return nil
		}

		commands = commands[:0]
		d.timers.set()
		var err error
		select {
		case batch := <-entries:
			if commands, err = d.apply(batch, commands); err == nil {
				err = d.loseBuried(ctx)
			}
		case id := <-d.Dead:
			d.workers.buried[id] = true
			err = d.loseBuried(ctx)
		case <-d.Hurry:
			d.Hurry = nil
			d.Grace = 0
			err = d.force(ctx, time.Now())
		case <-tick.C:
			err = d.tick(ctx)
		case <-d.timers.timer.C:
			err = d.ring(ctx)
		case err = <-failed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// apply applies entries of the journal and appends what follows to commands.
func (d *Driver) apply(entries []journal.Entry, commands []dag.Command) ([]dag.Command, error) {
	for _, entry := range entries {
		for _, record := range entry.Records {
			if event, ok := record.Event(); ok {
				var err error
				if commands, err = d.state.Apply(event, commands); err != nil {
					return commands, journal.Damaged(d.run, entry.ID, err)
				}
			}
			d.track(entry, record)
		}

		d.position = entry.ID
	}

	if d.Observe != nil {
		d.Observe(entries)
	}
	return commands, nil
}

// carryOut does what the run's state machine asks for.
func (d *Driver) carryOut(ctx context.Context, commands []dag.Command) error {
	var decisions []journal.Decision
	finish := false
	for _, c := range commands {
		switch c.Type {
		case dag.Dispatch:
			d.queueUp(c.Stage)
		case dag.Skip:
			decisions = append(decisions, journal.Decision{Kind: journal.EndUnexecuted,
				Record: journal.Record{Type: journal.StageSkipped, Stage: c.Stage, Root: c.Cause}})
		case dag.Cancel:
			decisions = append(decisions, journal.Decision{Kind: journal.EndUnexecuted,
				Record: journal.Record{Type: journal.StageCancelled, Stage: c.Stage}})
		case dag.Finish:
			finish = true
		}
	}

	if len(decisions) > 0 {
		if err := d.persist(ctx, func() error { return d.Journal.At(d.position).Decide(ctx, d.run, d.epoch, decisions) }); err != nil {
			return err
		}
	}

	d.cleanUp()
	if finish {
		return d.persist(ctx, func() error { return d.Journal.At(d.position).Finish(ctx, d.run, d.epoch, d.state) })
	}

	return d.dispatch(ctx)
}

// persist writes to the journal, and tries again while Redis cannot be reached.
func (d *Driver) persist(ctx context.Context, write func() error) error {
	for delay := 50 * time.Millisecond; ; delay = min(time.Second, 2*delay) {
		err := write()
		if err == nil || errors.Is(err, journal.ErrNotFound) || errors.Is(err, journal.ErrFenced) || errors.Is(err, journal.ErrTruncated) {
			return err
		}

		d.Logger.Warn("cannot write to the journal, will try again", "run", d.run, "error", err)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// tick looks after everything that no journal entry announces.
func (d *Driver) tick(ctx context.Context) error {
	err := d.Journal.Renew(ctx, d.run, d.ID, Lease, d.epoch)
	if errors.Is(err, journal.ErrNotFound) || errors.Is(err, journal.ErrFenced) {
		return err
	}

	if err == nil && d.timed() {
		err = d.synchronize(ctx)
	}
	if err == nil {
		err = d.look(ctx)
	}

	if errors.Is(err, journal.ErrDigest) || errors.Is(err, journal.ErrTruncated) || errors.Is(err, ErrNoWorker) {
		return err
	}
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		d.workers.loseTouch()
		d.Logger.Warn("cannot reach Redis, will try again", "run", d.run, "error", err)
	}

	return nil
}

// look finds workers that are dead, stages that nobody claimed, and attempts that outlive a
// cancelled run.
func (d *Driver) look(ctx context.Context) error {
	list, err := d.Fleet.Workers(ctx)
	if err != nil {
		return err
	}

	now := time.Now()
	d.workers.update(list, d.run, d.Key, now)
	if err := d.regroup(ctx, list); err != nil {
		return err
	}

	dead := func(f *flight) bool { return d.workers.dead(f.worker, now) }
	if err := d.lose(ctx, dead, "its worker was not heard of for "+fleet.WorkerTTL.String()); err != nil {
		return err
	}

	missing := func(s dag.StageID, f *flight) bool {
		return d.workers.lacks(journal.AttemptID{Stage: s, Attempt: f.attempt}, f, now)
	}
	if err := d.loseWhere(ctx, missing, reportLost); err != nil {
		return err
	}
	if err := d.overdue(ctx, now); err != nil {
		return err
	}
	if err := d.force(ctx, now); err != nil {
		return err
	}
	if err := d.reportUnserved(now); err != nil {
		return err
	}

	return d.dispatch(ctx) // there may be more workers now
}
