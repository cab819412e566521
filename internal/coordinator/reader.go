package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/godags/godags/internal/journal"
)

// readWait is how long a read waits for new entries, and how long a failed read waits for the next
// try.
const readWait = 500 * time.Millisecond

// reader reads the journal of a run and waits while Redis is unreachable.
type reader struct {
	journal *journal.Journal
	run     journal.RunID
	logger  *slog.Logger
}

// final reports whether no later read can succeed.
func final(err error) bool {
	return journal.Unreadable(err) || errors.Is(err, journal.ErrTruncated)
}

// existing returns entries behind a position that the journal has now, or none if it has no more.
func (r reader) existing(ctx context.Context, position journal.Position) ([]journal.Entry, error) {
	for {
		entries, err := r.journal.Read(ctx, r.run, position, 0)
		if err == nil || final(err) {
			return entries, err
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}

		r.logger.Warn("cannot read the journal, will try again", "run", r.run, "error", err)
		select {
		case <-time.After(readWait):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// follow sends the entries behind a position as they are recorded. Its goroutine ends soon after
// ctx is done, or sends the error after which no read can succeed.
func (r reader) follow(ctx context.Context, position journal.Position) (<-chan []journal.Entry, <-chan error) {
	// Up to four reads are ahead, so that Redis and the coordinator work at the same time.
	entries := make(chan []journal.Entry, 4)
	failed := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			read, err := r.journal.Read(ctx, r.run, position, readWait)
			switch {
			case final(err):
				failed <- err
				return
			case err != nil:
				// No warning: the coordinator renews its lease meanwhile, and warns.
				select {
				case <-time.After(readWait):
				case <-ctx.Done():
				}

			case len(read) > 0:
				position = read[len(read)-1].ID
				select {
				case entries <- read:
				case <-ctx.Done():
				}
			}
		}
	}()

	return entries, failed
}
