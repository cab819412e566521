package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// asynqFlat drains n no-ops that do not depend on each other with two workers, and says how many a
// second that was, from the beginning of the first to the end of the last. All are in the queue
// before, so that putting them there costs nothing.
func asynqFlat(slots, n int) func(*world) (float64, error) {
	return func(w *world) (float64, error) {
		a, err := w.asynq(slots)
		if err != nil {
			return 0, err
		}

		for _, step := range []func() error{
			func() error { return a.fill(n) }, func() error { return a.start(2) }, a.drained, a.stop,
		} {
			if err := step(); err != nil {
				return 0, err
			}
		}

		return a.rate(n)
	}
}

// rate puts together what the workers have said in the end.
func (a *asynqSide) rate(n int) (float64, error) {
	close(a.notices)
	var count int64
	var first, last time.Time
	for said := range a.notices {
		if said.Count == 0 {
			// It was ready, or has executed nothing.
			continue
		}

		count += said.Count
		if first.IsZero() || said.First.Before(first) {
			first = said.First
		}

		if said.Last.After(last) {
			last = said.Last
		}
	}

	// A lost or repeated task would make the rate wrong.
	if count != int64(n) {
		return 0, fmt.Errorf("raw Asynq executed %d of %d tasks", count, n)
	}

	return float64(n) / last.Sub(first).Seconds(), nil
}

// asynqPickUps samples the time from enqueueing a task to its beginning while two workers have been
// idle for a while: a worker that has just ended a task looks for another at once.
func asynqPickUps(w *world) (figures []figure, err error) {
	a, err := w.asynq(1)
	if err != nil {
		return nil, err
	}

	if err := a.startReady(2); err != nil {
		return nil, err
	}

	var times []float64
	for range asynqSamples {
		if err := pause(w.ctx, time.Second+rand.N(time.Second)); err != nil {
			return nil, err
		}

		took, err := a.untilStamp(0)
		if err != nil {
			return nil, err
		}

		times = append(times, took)
	}

	return quantiles(pickUp50, pickUp99, times), nil
}

// asynqHop is how long one of 200 tasks takes of which each enqueues the next. The worker that has
// executed one looks for another at once, so that only the first waits.
func asynqHop(w *world) (float64, error) {
	a, err := w.asynq(1)
	if err != nil {
		return 0, err
	}

	if err := a.startReady(2); err != nil {
		return 0, err
	}

	took, err := a.untilStamp(asynqHops - 1)
	return took / asynqHops, err
}

// untilStamp is how long it takes until a stamp is begun after a number of hops, in milliseconds.
func (a *asynqSide) untilStamp(hops int) (float64, error) {
	begin := time.Now()
	if err := a.enqueue(hopTask(hops)); err != nil {
		return 0, err
	}
	said, err := a.next()
	return milliseconds(said.Stamp.Sub(begin)), err
}

// asynqFirstTask is how long it takes from the start of a worker to the beginning of a task that is
// in the queue.
func asynqFirstTask(w *world) (float64, error) {
	a, err := w.asynq(1)
	if err != nil {
		return 0, err
	}

	if err := a.enqueue(hopTask(0)); err != nil {
		return 0, err
	}

	begin := time.Now()
	if err := a.startReady(1); err != nil {
		return 0, err
	}

	said, err := a.next()
	return milliseconds(said.Stamp.Sub(begin)), err
}

// asynqIdle starts two workers.
func asynqIdle(w *world) ([]*process, error) {
	a, err := w.asynq(1)
	if err != nil {
		return nil, err
	}
	err = a.startReady(2)
	return a.workers, err
}
