package main

import (
	"context"
	"time"

	"github.com/godags/godags/internal/journal"
)

// reading turns the time that a pipeline took into figures.
type reading func(seconds float64) []figure

// rate reads how many stages a second that was.
func rate(what string, stages int) reading {
	return func(seconds float64) []figure { return []figure{{what, stagesPerSecond, float64(stages) / seconds}} }
}

// each reads how long one of n took.
func each(what string, n int) reading {
	return func(seconds float64) []figure { return []figure{{what, ms, seconds * 1000 / float64(n)}} }
}

// runs samples a run on two workers.
func (l *lab) runs(p pipeline, figures func(outcome) []figure, args ...string) sampler {
	return l.sample(func(w *world) ([]figure, error) {
		file, err := l.file(p)
		if err != nil {
			return nil, err
		}

		if _, err := w.startWorkers(2); err != nil {
			return nil, err
		}

		o, err := w.run(file, args...)
		return figures(o), err
	})
}

// timed samples the time from the submission of a run to its end.
func (l *lab) timed(p pipeline, read reading, args ...string) sampler {
	return l.runs(p, func(o outcome) []figure { return read(o.Seconds) }, args...)
}

// sample samples something that happens in a separate world.
func (l *lab) sample(take func(*world) ([]figure, error)) sampler {
	return func(ctx context.Context) (figures []figure, err error) {
		err = l.inWorld(ctx, func(w *world) (err error) {
			figures, err = take(w)
			return err
		})
		return figures, err
	}
}

// one makes a sampler of something that gives one number.
func (l *lab) one(what, unit string, take func(*world) (float64, error)) sampler {
	return l.sample(func(w *world) ([]figure, error) {
		value, err := take(w)
		return []figure{{what, unit, value}}, err
	})
}

// quantiles are figures of many short times.
func quantiles(median, rare string, times []float64) []figure {
	return []figure{{median, ms, quantile(times, 0.5)}, {rare, ms, quantile(times, 0.99)}}
}

// aloneHops samples a chain whose stages all travel alone: the times from the beginning of one to
// that of the next.
func (l *lab) aloneHops(p pipeline) sampler {
	return l.watched(p, journal.StageStarted, hopAlone50, hopAlone99, "--batch=1", "--no-fuse")
}

// pickUps samples a chain of stages that sleep: the times from the end of one to the beginning of
// the next, when both workers are idle.
func (l *lab) pickUps(p pipeline) sampler {
	return l.watched(p, journal.StageSucceeded, pickUp50, pickUp99)
}

func (l *lab) watched(p pipeline, from journal.Type, median, rare string, args ...string) sampler {
	return l.sample(func(w *world) ([]figure, error) {
		file, err := l.file(p)
		if err != nil {
			return nil, err
		}

		if _, err := w.startWorkers(2); err != nil {
			return nil, err
		}

		seen, err := w.watched(file, nil, args...)
		if err != nil {
			return nil, err
		}

		return quantiles(median, rare, gaps(seen, from, journal.StageStarted)), nil
	})
}

// firstStage is how long it takes from the start of a worker to the beginning of a stage that is in
// the queue.
func firstStage(w *world) (float64, error) {
	file, err := w.lab.file(pipeline{"one.json", 1, chain(1)})
	if err != nil {
		return 0, err
	}

	var begin time.Time
	seen, err := w.watched(file, func(s sighting) (err error) {
		// The stage is in the queue soon after, long before a process has started.
		if s.Type == journal.RunSubmitted {
			begin = time.Now()
			_, err = w.startWorker()
		}
		return err
	})
	if err != nil {
		return 0, err
	}

	for _, s := range seen {
		if s.Type == journal.StageStarted {
			return milliseconds(s.at.Sub(begin)), nil
		}
	}

	return 0, errNotSeen
}

// submission is how long it takes from the start of the command run to the first entry of the
// journal.
func submission(what string) func(outcome) []figure {
	return func(o outcome) []figure {
		return []figure{{what, ms, milliseconds(o.Started.Sub(o.begun))}}
	}
}

// embedded samples a run in one process, with a Redis inside it: no redis-server is on PATH.
func (l *lab) embedded(p pipeline, read reading) sampler {
	return func(ctx context.Context) ([]figure, error) {
		file, err := l.file(p)
		if err != nil {
			return nil, err
		}
		// Without redis-server on PATH, the command starts the Redis inside its process.
		o, err := l.run(ctx, l.files, []string{"PATH=" + l.folder, "REDIS_URL="}, file, "--home", l.folder)
		return read(o.Seconds), err
	}
}
