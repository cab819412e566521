package engine

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/godags/godags/internal/coordinator"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/sign"
)

// adoptions says which runs a server drives, and which it may adopt. It has no clock and no lock.
//
//	                    take
//	run without owner --------> driving --drop--> finished
//	     ^      ^                             +-> released: another coordinator may own it
//	     |      +---- after a back-off -------+-- retryable
//	     +----------- reconsider -------------+-- hopeless: abandoned
type adoptions struct {
	limit   int // runs that are driven at once
	driving map[journal.RunID]bool
	// Runs that this server can never drive to their end: damaged, signed with another key, or
	// without workers for too long. They are not tried again until another process owned them, or
	// their ID was used for a new run.
	abandoned map[journal.RunID]bool
	failed    map[journal.RunID]*backoff
}

func newAdoptions(limit int) adoptions {
	return adoptions{
		limit:     limit,
		driving:   make(map[journal.RunID]bool),
		abandoned: make(map[journal.RunID]bool),
		failed:    make(map[journal.RunID]*backoff),
	}
}

// backoff is how long to wait after something failed several times in a row.
type backoff struct {
	delay time.Duration
	until time.Time
}

const (
	firstBackoff = time.Second
	lastBackoff  = time.Minute
)

func (b *backoff) fail(now time.Time) {
	b.delay = min(max(2*b.delay, firstBackoff), lastBackoff)
	b.until = now.Add(b.delay)
}

// take reports whether the server should drive a run that has no owner. The run then counts as
// driven until it is dropped.
func (a adoptions) take(run journal.RunID, now time.Time) bool {
	b := a.failed[run]
	// A run that failed a moment ago would fail in the same way, and fill the log.
	waits := b != nil && now.Before(b.until)
	if a.driving[run] || a.abandoned[run] || len(a.driving) >= a.limit || waits {
		return false
	}

	a.driving[run] = true
	return true
}

// ending is why a server stopped driving a run.
type ending int

const (
	finished  ending = iota // the run is finished
	released                // another coordinator owns the run, or may, or it was removed
	hopeless                // this server can never drive the run
	retryable               // the server should try again
)

// endingOf classifies the error of driving a run.
func endingOf(err error) ending {
	is := func(targets ...error) bool {
		return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
	}
	switch {
	case err == nil:
		return finished
	case is(journal.ErrFenced, journal.ErrNotFound, ErrHandOver):
		return released
	case journal.Unreadable(err), is(journal.ErrDigest, sign.ErrSignature, ErrSharedMemory, coordinator.ErrNoWorker):
		return hopeless
	}
	return retryable
}

// drop notes that a run is not driven any more. It returns how long the server waits before it
// tries again, if it does.
func (a adoptions) drop(run journal.RunID, e ending, now time.Time) time.Duration {
	delete(a.driving, run)

	switch e {
	case finished:
		// The next failure under this ID is a new one, which starts with the shortest wait.
		delete(a.failed, run)
	case hopeless:
		// Another try would fail alike. reconsider forgets this if another process takes the run.
		a.abandoned[run] = true
	case retryable:
		if a.failed[run] == nil {
			a.failed[run] = new(backoff)
		}
		a.failed[run].fail(now)
		return a.failed[run].delay
	}

	return 0
}

// abandonedRuns lists the abandoned runs.
func (a adoptions) abandonedRuns() []journal.RunID {
	return slices.Collect(maps.Keys(a.abandoned))
}

// reconsider forgets what it knows about runs that are gone or have another owner now. Before are
// the runs that were abandoned when the list of open runs was requested: a run that was abandoned
// since may have had a lease of ours in that list.
func (a adoptions) reconsider(before []journal.RunID, open []journal.Ownership) {
	left := make(map[journal.RunID]time.Duration, len(open))
	for _, o := range open {
		left[o.Run] = o.Left
	}

	for _, run := range before {
		if lease, there := left[run]; !there || lease > 0 {
			delete(a.abandoned, run)
		}
	}

	maps.DeleteFunc(a.failed, func(run journal.RunID, _ *backoff) bool {
		_, there := left[run]
		return !there
	})
}
