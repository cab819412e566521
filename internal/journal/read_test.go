package journal_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/redistest"
	"github.com/godags/godags/internal/version"
)

func TestRead_ResumesFromAPosition(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 0, 1), true)
		all := f.entries()
		rest, err := f.Read(f.t.Context(), run, all[0].ID, 0)
		if err != nil || len(rest) != 2 || rest[0].ID != all[1].ID {
			f.t.Errorf("after the first entry: %v, %v", rest, err)
		}
		none, err := f.Read(f.t.Context(), run, all[2].ID, 0)
		if err != nil || len(none) != 0 {
			f.t.Errorf("after the last entry: %v, %v", none, err)
		}
	})
}

func TestRead_WaitsForTheNextEntry(t *testing.T) {
	journals(t, func(f *fixture) {
		position := f.entries()[0].ID
		next := make(chan []journal.Entry)
		go func() {
			defer close(next)
			entries, err := f.Read(f.t.Context(), run, position, time.Hour)
			if err != nil {
				f.t.Error(err)
			}
			next <- entries
		}()
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		if entries := <-next; len(entries) != 1 || entries[0].Worker != "w1" {
			f.t.Errorf("read %v", entries)
		}
	})
}

func TestRead_WaitsNoLongerThanTold(t *testing.T) {
	journals(t, func(f *fixture) {
		position := f.entries()[0].ID
		for _, wait := range []time.Duration{-time.Second, 0, time.Nanosecond, time.Millisecond} {
			entries, err := f.Read(f.t.Context(), run, position, wait)
			if len(entries) != 0 || err != nil {
				f.t.Errorf("waiting %s: %v, %v", wait, entries, err)
			}
		}
	})
}

func TestRead_GivesTheTimeOfRedis(t *testing.T) {
	journals(t, func(f *fixture) {
		before, err := f.rdb.Time(f.t.Context()).Result()
		if err != nil {
			f.t.Fatal(err)
		}
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		after, err := f.rdb.Time(f.t.Context()).Result()
		if err != nil {
			f.t.Fatal(err)
		}
		got := f.entries()[1].Time
		if got.Before(before.Truncate(time.Millisecond)) || got.After(after) {
			f.t.Errorf("an entry written between %s and %s says %s", before, after, got)
		}
	})
}

// damage adds an entry that no journal writes.
func (f *fixture) damage(values ...any) {
	f.t.Helper()
	if err := f.rdb.XAdd(f.t.Context(), &redis.XAddArgs{Stream: "godags:{r}:journal", Values: values}).Err(); err != nil {
		f.t.Fatal(err)
	}
}

func TestRead_RefusesDamagedEntries(t *testing.T) {
	for name, values := range map[string][]any{
		"other fields":           {"x", "y"},
		"no records":             {"w", "w1", "r", ""},
		"type 0":                 {"w", "w1", "r", "\x00\x00\x00\x00"},
		"unknown field":          {"w", "w1", "r", "\x02\x00\x01\x10"},
		"cut":                    {"w", "w1", "r", "\x02\x00"},
		"cut text":               {"w", "w1", "r", "\x04\x00\x01\x08\x05shor"},
		"stage beyond 32 bits":   {"w", "w1", "r", "\x02\xff\xff\xff\xff\x1f\x01\x00"},
		"attempt beyond 16 bits": {"w", "w1", "r", "\x02\x00\xff\xff\x07\x00"},
		"number without end":     {"w", "w1", "r", "\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
		"good, then bad":         {"w", "w1", "r", "\x02\x00\x01\x00\x02"},
	} {
		t.Run(name, func(t *testing.T) {
			redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
				f := newFixture(t, rdb)
				f.damage(values...)
				before, err := f.Read(t.Context(), run, journal.Start, 0)
				if err != nil || len(before) != 1 {
					t.Fatalf("what comes before: %v, %v", before, err)
				}
				if entries, err := f.Read(t.Context(), run, before[0].ID, 0); !errors.Is(err, journal.ErrDamaged) {
					t.Errorf("read %v, %v", entries, err)
				}
				if s, err := f.Summary(t.Context(), run); !errors.Is(err, journal.ErrDamaged) {
					t.Errorf("summary %+v, %v", s, err)
				}
			})
		})
	}
}

// The journal is in order. Its reader must neither guess what the record means nor leave it out.
func TestRead_RefusesRecordsOfANewerFormat(t *testing.T) {
	for name, records := range map[string]string{
		"type 6":              "\x06\x00\x00\x00",
		"type 200":            "\xc8\x00\x00\x00",
		"field":               "\x02\x00\x01\x80\x01",
		"field of far away":   "\x02\x00\x01\x80\x80\x80\x80\x10",
		"good, then newer":    "\x02\x00\x01\x00\x0e\x00\x00\x00",
		"newer with a field":  "\x0d\x01\x01\x04\x04text",
		"newer, without more": "\x0d\x01\x01\x00",
	} {
		t.Run(name, func(t *testing.T) {
			redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
				f := newFixture(t, rdb)
				f.damage("w", "w1", "r", records)
				before, err := f.Read(t.Context(), run, journal.Start, 0)
				if err != nil || len(before) != 1 {
					t.Fatalf("what comes before: %v, %v", before, err)
				}
				const want = "written by a newer godags (format 2 or later); this one reads format 1: upgrade this program"
				entries, err := f.Read(t.Context(), run, before[0].ID, 0)
				if !errors.Is(err, version.ErrNewer) || errors.Is(err, journal.ErrDamaged) || !strings.HasSuffix(err.Error(), want) {
					t.Errorf("read %v, %v; want no entry, and %q", entries, err, want)
				}
				if s, err := f.Summary(t.Context(), run); !errors.Is(err, version.ErrNewer) || s.State != "newer" {
					t.Errorf("summary %+v, %v", s, err)
				}
			})
		})
	}
}

func TestRuns_SkipsWhatIsNoRunID(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		f := newFixture(t, rdb)
		for _, id := range []string{"../up", "two\nlines", "\x1b[31mred", "}:run", "", strings.Repeat("long", 1<<18)} {
			if err := rdb.ZAdd(t.Context(), "godags:runs", redis.Z{Score: 1e15, Member: id}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if runs, err := f.Runs(t.Context(), 100, nil); err != nil || len(runs) != 1 || runs[0].Run != run {
			t.Errorf("listed: %.200v %v", runs, err)
		}
	})
}

func TestSummary_RefusesRecordsThatAreNoJSON(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		f := newFixture(t, rdb)
		f.damage("w", "", "r", "\x0a\x00\x00\x08\x04oops") // run.finished
		if s, err := f.Summary(t.Context(), run); !errors.Is(err, journal.ErrDamaged) {
			t.Errorf("summary %+v, %v", s, err)
		}
		if err := rdb.Del(t.Context(), "godags:{r}:journal").Err(); err != nil {
			t.Fatal(err)
		}
		f.damage("w", "", "r", "\x01\x00\x00\x08\x04oops") // run.submitted
		if s, err := f.Summary(t.Context(), run); !errors.Is(err, journal.ErrDamaged) {
			t.Errorf("summary %+v, %v", s, err)
		}
	})
}

// Only on a real Redis: miniredis reads a key of another type as if nothing were there.
func TestJournal_RefusesKeysOfAnotherProgram(t *testing.T) {
	rdb := redistest.Start(t).Client()
	f := newFixture(t, rdb)
	for _, key := range []string{"run", "spec", "journal", "fence", "out", "log"} {
		pipe := rdb.TxPipeline()
		pipe.Del(t.Context(), "godags:{r}:"+key)
		pipe.LPush(t.Context(), "godags:{r}:"+key, "a list")
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for what, err := range everyCall(t.Context(), f.Journal, run) {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

// everyCall makes every call that is about one run, and returns their errors.
func everyCall(ctx context.Context, j *journal.Journal, run journal.RunID) map[string]error {
	errs := make(map[string]error)
	attempts := []journal.AttemptID{at(0, 1)}
	_, errs["acquire"] = j.Acquire(ctx, run, "ann", lease)
	errs["renew"] = j.Renew(ctx, run, "ann", lease, 1)
	errs["decide"] = j.Decide(ctx, run, 1, []journal.Decision{decision(journal.EndUnexecuted, journal.StageSkipped, 0, 0)})
	errs["finish"] = j.Finish(ctx, run, 1, dag.NewRun(new(dag.Graph), dag.Rules{}))
	_, errs["cancel"] = j.RequestCancel(ctx, run, "enough")
	_, errs["claim"] = j.Claim(ctx, journal.Claim{Run: run, Digest: digest, Worker: "w1", Token: tokenA}, attempts)
	_, errs["report"] = j.Report(ctx, journal.Claim{Run: run, Worker: "w1", Token: tokenA}, []journal.Outcome{ended(journal.StageSucceeded, 0, 1)})
	_, errs["check"] = j.Check(ctx, run, tokenA, attempts)
	_, errs["save log"] = j.SaveLog(ctx, run, tokenA, attempts[0], head(0, "text"))
	_, errs["read"] = j.Read(ctx, run, journal.Start, 0)
	_, errs["wait"] = j.Read(ctx, run, journal.Start, time.Millisecond)
	_, _, errs["spec"] = j.Spec(ctx, run)
	_, errs["summary"] = j.Summary(ctx, run)
	_, errs["outputs"] = j.Outputs(ctx, run, 0)
	_, errs["log"] = j.Log(ctx, run, attempts[0])
	return errs
}

func TestJournal_ReportsAMissingRun(t *testing.T) {
	journals(t, func(f *fixture) {
		calls := everyCall(f.t.Context(), f.Journal, "never")
		delete(calls, "check") // see the next test
		for what, err := range calls {
			if !errors.Is(err, journal.ErrNotFound) {
				f.t.Errorf("%s: %v, want that the run is gone", what, err)
			}
		}
		if going, _ := f.RequestCancel(f.t.Context(), "never", "enough"); going {
			f.t.Error("a run that never was goes on")
		}
		keys, err := f.rdb.Keys(f.t.Context(), "*never*").Result()
		if len(keys) != 0 || err != nil {
			f.t.Errorf("the calls left %q behind, %v", keys, err)
		}
	})
}

// Somebody flushed Redis, or it came back without its data.
func TestCheck_RevokesAttemptsOfAMissingRun(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(1, 1)}, true, true)
		if err := f.rdb.FlushAll(f.t.Context()).Err(); err != nil {
			f.t.Fatal(err)
		}
		f.check(tokenA, []journal.AttemptID{at(0, 1), at(1, 1)}, journal.Revoked, journal.Revoked)
	})
}

func TestJournal_ReportsAnUnreachableRedis(t *testing.T) {
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	if err := rdb.Close(); err != nil {
		t.Fatal(err)
	}
	j := journal.New(rdb)
	calls := everyCall(t.Context(), j, run)
	_, calls["submit"] = j.Submit(t.Context(), submission())
	_, calls["runs"] = j.Runs(t.Context(), 10, nil)
	for what, err := range calls {
		if !errors.Is(err, redis.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
		for _, sentinel := range []error{journal.ErrNotFound, journal.ErrFenced, journal.ErrDamaged, journal.ErrDigest, journal.ErrExists} {
			if errors.Is(err, sentinel) {
				t.Errorf("%s: %v, which is not known", what, err)
			}
		}
	}
}

func TestSpec_IsKeptToTheByte(t *testing.T) {
	journals(t, func(f *fixture) {
		encoded, recorded, err := f.Spec(f.t.Context(), run)
		if string(encoded) != specText || recorded != digest || err != nil {
			f.t.Errorf("%q, %q, %v", encoded, recorded, err)
		}
	})
}

// summary checks the state of the run in lists, and returns the rest.
func (f *fixture) summary(state string) journal.Summary {
	f.t.Helper()
	s, err := f.Summary(f.t.Context(), run)
	if err != nil || s.State != state {
		f.t.Errorf("the run is %q, %v; want %q", s.State, err, state)
	}
	return s
}

func TestSummary_FollowsTheRun(t *testing.T) {
	journals(t, func(f *fixture) {
		ctx := f.t.Context()
		s := f.summary("running")
		if s.Run != run || s.Pipeline != "wine" || s.Stages != 10 || s.Submitted.IsZero() || !s.Finished.IsZero() || s.Counts != nil {
			f.t.Errorf("while it runs: %+v", s)
		}
		if err := f.Renew(ctx, run, "ann", -time.Hour, f.epoch); err != nil {
			f.t.Fatal(err)
		}
		f.summary("stalled")
		f.cancel(true)
		f.summary("stalled") // nobody is there who would cancel it
		if err := f.Renew(ctx, run, "ann", lease, f.epoch); err != nil {
			f.t.Fatal(err)
		}
		f.summary("cancelling")
		state := graph(f.t, 2)
		for stage, how := range []dag.EventType{dag.StageSucceeded, dag.StageCancelled} {
			if _, err := state.Apply(dag.Event{Type: how, Stage: dag.StageID(stage), Attempt: 1}, nil); err != nil {
				f.t.Fatal(err)
			}
		}
		if err := f.Finish(ctx, run, f.epoch, state); err != nil {
			f.t.Fatal(err)
		}
		s = f.summary("cancelled")
		want := map[string]int{"succeeded": 1, "failed": 0, "skipped": 0, "cancelled": 1}
		if s.Finished.Before(s.Submitted) || !maps.Equal(s.Counts, want) {
			f.t.Errorf("at its end: %+v", s)
		}
	})
}

// runs checks which runs are listed.
func (f *fixture) runs(limit int, want ...journal.RunID) {
	f.t.Helper()
	list, err := f.Runs(f.t.Context(), limit, nil)
	var got []journal.RunID
	for _, s := range list {
		got = append(got, s.Run)
	}
	if err != nil || !slices.Equal(got, want) {
		f.t.Errorf("the newest %d runs: %v, %v; want %v", limit, got, err, want)
	}
}

func TestRuns_ListsTheNewestFirst(t *testing.T) {
	journals(t, func(f *fixture) {
		ctx := f.t.Context()
		for i, id := range []journal.RunID{"old", "new"} {
			s := submission()
			s.Run = id
			if _, err := f.Submit(ctx, s); err != nil {
				f.t.Fatal(err)
			}
			if err := f.rdb.ZAdd(ctx, "godags:runs", redis.Z{Score: 1e18 + float64(i)*1e6, Member: string(id)}).Err(); err != nil {
				f.t.Fatal(err) // submissions within a millisecond have no order
			}
		}
		f.runs(10, "new", "old", run)
		f.runs(2, "new", "old")
		f.runs(0)
		if err := f.rdb.Del(ctx, "godags:{old}:journal").Err(); err != nil {
			f.t.Fatal(err)
		}
		f.runs(10, "new", run)
	})
}
