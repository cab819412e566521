package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/godags/godags/internal/journal"
)

// outcome is what came of a run.
type outcome struct {
	Started time.Time     // when it was submitted, by the clock of Redis
	Seconds float64       // from submission to end
	begun   time.Time     // when the command was started
	wall    time.Duration // of the whole command
}

// run runs a pipeline on the workers of this world.
func (w *world) run(target string, args ...string) (outcome, error) {
	return w.lab.run(w.ctx, w.team, nil, append([]string{target, "--redis", w.url()}, args...)...)
}

// run calls the command run.
func (l *lab) run(ctx context.Context, t team, env []string, args ...string) (o outcome, err error) {
	o.begun = time.Now()
	args = slices.Concat(t.coordinator[1:], []string{"run", "--progress", "quiet", "--output", "json"}, args)
	text, _, err := execute(ctx, l.folder, env, t.coordinator[0], args...)
	o.wall = time.Since(o.begun)
	if err == nil {
		err = json.Unmarshal([]byte(text), &o)
	}
	return o, err
}

// sighting is a record of a journal and when it was seen.
type sighting struct {
	journal.Type
	at time.Time
}

// watched runs a pipeline file and reads its journal meanwhile. It calls see, if not nil, at each
// record.
func (w *world) watched(file string, see func(sighting) error, args ...string) ([]sighting, error) {
	const id = "watched"
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	var seen []sighting

	// The watcher begins before the run is submitted, so that it misses no record.
	watching := make(chan error, 1)
	go func() {
		watching <- w.watch(ctx, id, func(s sighting) error {
			seen = append(seen, s)
			if see == nil {
				return nil
			}
			return see(s)
		})
	}()

	if _, err := w.run(file, append(args, "--run-id", id)...); err != nil {
		cancel()
		return nil, errors.Join(err, <-watching)
	}

	return seen, <-watching
}

// watch reads a journal to its end.
func (w *world) watch(ctx context.Context, run journal.RunID, see func(sighting) error) error {
	for position := journal.Start; ; {
		entries, err := w.journal.Read(ctx, run, position, time.Second)
		if err != nil && !errors.Is(err, journal.ErrNotFound) { // it has not been submitted yet
			return err
		}

		// The time at which a reader sees a record. That of the entry has only milliseconds.
		now := time.Now()
		for _, e := range entries {
			position = e.ID
			for _, r := range e.Records {
				if err := see(sighting{r.Type, now}); err != nil || r.Type == journal.RunFinished {
					return err
				}
			}
		}
	}
}

// gaps returns the times from each sighting of one type to the next of another, in milliseconds.
func gaps(seen []sighting, from, to journal.Type) (ms []float64) {
	var since time.Time
	for _, s := range seen {
		if s.Type == to && !since.IsZero() {
			ms = append(ms, milliseconds(s.at.Sub(since)))
			since = time.Time{}
		}
		if s.Type == from {
			since = s.at
		}
	}

	return ms
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
