package redisx

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/fault"
)

const (
	awayAfter   = time.Second // without an answer; shorter outages are not reported
	remindEvery = time.Minute
	maxCauses   = 64 // error texts to remember
)

// watch logs when Redis becomes unreachable, once a minute while that lasts, and when Redis answers
// again. Users of Redis would each log every command that fails: see quiet.
type watch struct {
	log     *slog.Logger
	failing atomic.Bool

	mu    sync.Mutex
	since time.Time // of the first failure after the last answer
	said  time.Time // of the last log line about this outage; zero without one

	// causes has the texts of recent errors of Redis, and until when they need not be logged.
	causes map[string]time.Time
}

func newWatch(log *slog.Logger) *watch {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &watch{log: log, causes: make(map[string]time.Time)}
}

// DialHook, ProcessHook and ProcessPipelineHook make a watch a hook of clients.
func (w *watch) DialHook(next redis.DialHook) redis.DialHook { return next }

func (w *watch) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		w.note(err)
		return err
	}
}

func (w *watch) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		w.note(err)
		return err
	}
}

// note takes in how a command ended.
func (w *watch) note(err error) {
	// A reply with an error is an answer too, unless it says that Redis has no data to answer with.
	var reply redis.Error
	answered := err == nil || err == redis.Nil || errors.As(err, &reply) && !redis.IsLoadingError(err) && !redis.IsMasterDownError(err)
	switch {
	case answered:
		// Every command comes here, so the usual case takes no lock.
		if w.failing.Load() {
			w.back()
		}
		if cause, ok := refusal(err); ok {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.remember(cause, time.Time{})
		}

	case !errors.Is(err, context.Canceled) && !errors.Is(err, redis.ErrClosed):
		// The two exceptions come from this process: it gave the command up, or closed its client.
		w.away(err)
	}
}

// refusal returns the start of the text with which Redis refuses a command that it may accept
// later.
func refusal(err error) (string, bool) {
	if !fault.Refused(err) {
		return "", false
	}
	var reply redis.Error
	errors.As(err, &reply)

	// The rest may name the script, and would make the same cause look like several.
	text := reply.Error()
	return text[:min(len(text), 24)], true
}

func (w *watch) away(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()

	now := time.Now()
	w.failing.Store(true)
	w.remember(err.Error(), now.Add(remindEvery))
	switch {
	case w.since.IsZero():
		w.since = now
	case w.said.IsZero() && now.Sub(w.since) >= awayAfter:
		w.said = now
		w.log.Warn("cannot reach Redis, will try again", "error", err)
	case !w.said.IsZero() && now.Sub(w.said) >= remindEvery:
		w.said = now
		w.log.Warn("still cannot reach Redis", "for", now.Sub(w.since).Round(time.Second), "error", err)
	}
}

func (w *watch) back() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.said.IsZero() {
		w.log.Warn("Redis answers again", "after", time.Since(w.since).Round(100*time.Millisecond))
	}
	w.since = time.Time{}
	w.said = time.Time{}
	w.failing.Store(false)
}

// remember notes a cause, which need not be logged until the given time.
func (w *watch) remember(cause string, until time.Time) {
	// Texts may hold addresses or numbers, so their number has a limit. To forget all costs a few
	// repeated lines.
	if len(w.causes) >= maxCauses {
		clear(w.causes)
	}
	if old, known := w.causes[cause]; !known || old.Before(until) {
		w.causes[cause] = until
	}
}

// covers reports whether a text only repeats a cause that was logged.
func (w *watch) covers(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for cause, until := range w.causes {
		if !strings.Contains(text, cause) {
			continue
		}
		if now.Before(until) {
			return true
		}
		w.causes[cause] = now.Add(remindEvery) // this text is logged, the next ones are not
	}

	return false
}

// quiet is a log handler that drops warnings which only repeat what the watch has logged.
type quiet struct {
	slog.Handler
	watch *watch
}

// Handle implements [slog.Handler].
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		texts := []string{r.Message}
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "error" {
				texts = append(texts, a.Value.String())
			}
			return true
		})

		if q.watch.covers(strings.Join(texts, " ")) {
			return nil
		}
	}

	return q.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quiet{q.Handler.WithAttrs(attrs), q.watch}
}

// WithGroup implements [slog.Handler].
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name), q.watch} }
