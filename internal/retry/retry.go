// Package retry repeats a call to Redis, or to another store, until it succeeds.
package retry

import (
	"context"
	"time"
)

// Backoff is how long to wait between calls: First after the first failure, then twice as long
// each time, and at most Max.
type Backoff struct {
	First, Max time.Duration
}

// Redis is the back-off for calls to Redis. The first wait covers a lost connection, the longest
// one is short enough that a worker resumes within a second of Redis.
var Redis = Backoff{First: 50 * time.Millisecond, Max: time.Second}

// Policy says which errors to retry.
type Policy struct {
	Backoff Backoff
	// Final reports whether an error cannot be mended by another call. Nil means that all errors
	// are retried.
	Final func(error) bool
	// Failed is told of each error before the wait that follows it. It may be nil.
	Failed func(error)
}

// Do repeats call until it succeeds, fails with a final error, or ctx is done. It returns the error
// of the last call. So an error that is not final means that ctx is done.
//
// Do calls at least once: the caller may want the answer of a context that is done.
func Do(ctx context.Context, p Policy, call func() error) error {
	for delay := p.Backoff.First; ; delay = min(p.Backoff.Max, 2*delay) {
		err := call()
		if err == nil || p.Final != nil && p.Final(err) || ctx.Err() != nil {
			return err
		}
		if p.Failed != nil {
			p.Failed(err)
		}
		if !Sleep(ctx, delay) {
			return err
		}
	}
}

// Sleep waits, and reports whether ctx was not done before that.
func Sleep(ctx context.Context, d time.Duration) bool {
	// The timer is stopped rather than left to the garbage collector, for waits of a minute.
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
