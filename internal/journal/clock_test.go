package journal_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/redistest"
)

// ahead returns a time of Redis as it is written while its clock is an hour ahead, in milliseconds.
func (f *fixture) ahead() string {
	f.t.Helper()
	now, err := f.Now(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return strconv.FormatInt(now.Add(time.Hour).UnixMilli(), 10)
}

func (f *fixture) setRun(field string, value any) {
	f.t.Helper()
	if err := f.rdb.HSet(f.t.Context(), "godags:{r}:run", field, value).Err(); err != nil {
		f.t.Fatal(err)
	}
}

// The clock of Redis was an hour ahead when a lease was granted, and its owner has died since.
func TestAcquire_TrustsNoLeaseFromTheFuture(t *testing.T) {
	const short = 50 * time.Millisecond
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		f := newFixture(t, rdb)
		if err := f.Renew(t.Context(), run, "ann", short, f.epoch); err != nil {
			t.Fatal(err)
		}
		f.setRun("until", f.ahead())

		ownerships, err := f.Ownerships(t.Context(), run)
		if err != nil || ownerships[0].Left > 0 {
			t.Errorf("%v is left of the lease, %v; want nothing that is trusted", ownerships[0].Left, err)
		}
		if s, err := f.Summary(t.Context(), run); err != nil || s.State != "stalled" {
			t.Errorf("the run is %q, %v; want stalled", s.State, err)
		}
		if _, err := f.Acquire(t.Context(), run, "bob", short); err == nil {
			t.Error("the owner had no time to show that it lives")
		}
		for begin := time.Now(); ; {
			epoch, err := f.Acquire(t.Context(), run, "bob", short)
			if err == nil && epoch == f.epoch+1 {
				break
			}
			if time.Since(begin) > 10*time.Second {
				t.Fatalf("after %v nobody can take over: %v", time.Since(begin), err)
			}
		}
	})
}

// An owner that lives renews its lease before the time is over that it has for that.
func TestAcquire_KeepsALiveOwnerWhenTheClockGoesBack(t *testing.T) {
	journals(t, func(f *fixture) {
		f.setRun("until", f.ahead()+"0")
		if _, err := f.Acquire(f.t.Context(), run, "bob", lease); err == nil {
			f.t.Error("bob has the run")
		}
		if err := f.Renew(f.t.Context(), run, "ann", lease, f.epoch); err != nil {
			f.t.Errorf("ann cannot renew: %v", err)
		}
		if ownerships, err := f.Ownerships(f.t.Context(), run); err != nil || ownerships[0].Left <= 0 || ownerships[0].Left > lease {
			f.t.Errorf("%v is left of the lease, %v", ownerships[0].Left, err)
		}
	})
}

// The mark of a remover that has died ends in time as well.
func TestMarkDeleted_TrustsNoMarkFromTheFuture(t *testing.T) {
	journals(t, func(f *fixture) {
		f.finish()
		f.markDeleted(run, journal.WhenEnded, true)
		f.setRun("until", f.ahead())
		f.markDeleted(run, journal.WhenEnded, false)
		left, err := f.rdb.HGet(f.t.Context(), "godags:{r}:run", "until").Int64()
		if now, nowErr := f.Now(f.t.Context()); err != nil || nowErr != nil || time.UnixMilli(left).Sub(now) > time.Minute {
			f.t.Errorf("the mark ends at %v, and it is %v; %v, %v", time.UnixMilli(left), now, err, nowErr)
		}
	})
}
