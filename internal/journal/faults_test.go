package journal_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/redistest"
)

func TestJournal_SurvivesAKilledRedisWithAOF(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	f := newFixture(t, server.Client())
	f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(1, 1)}, true, true)
	o := ended(journal.StageSucceeded, 0, 1)
	o.Output = []byte("value")
	f.report("w1", tokenA, o, true)
	server.Restart()
	f.report("w1", tokenA, o, true) // offered again
	f.report("w1", tokenA, ended(journal.StageFailed, 1, 1), true)
	f.claim("w2", tokenB, []journal.AttemptID{at(0, 2), at(1, 1), at(1, 2)}, false, false, true)
	f.outputs([]dag.StageID{0}, []byte("value"))
	f.story("w1: stage.started 0#1", "w1: stage.started 1#1", "w1: stage.succeeded 0#1", "w1: stage.failed 1#1", "w2: stage.started 1#2")
}

func TestScripts_WriteAllOrNothingOnAFullRedis(t *testing.T) {
	rdb := redistest.Start(t).Client()
	f := newFixture(t, rdb)
	f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
	setMemory := func(limit string) {
		if err := rdb.ConfigSet(t.Context(), "maxmemory", limit).Err(); err != nil {
			t.Fatal(err)
		}
	}
	setMemory("1")
	for what, err := range everyWrite(f) {
		if err == nil || !strings.Contains(err.Error(), "OOM") {
			t.Errorf("%s: %v, want that Redis is out of memory", what, err)
		}
	}
	f.story("w1: stage.started 0#1")
	setMemory("0")
	f.check(tokenA, []journal.AttemptID{at(0, 1), at(1, 1)}, journal.Continue, journal.Revoked)
	f.claim("w1", tokenA, []journal.AttemptID{at(1, 1), at(2, 1)}, true, true)
	f.report("w1", tokenA, ended(journal.StageSucceeded, 0, 1), true)
	f.story("w1: stage.started 0#1", "w1: stage.started 1#1", "w1: stage.started 2#1", "w1: stage.succeeded 0#1")
}

func everyWrite(f *fixture) map[string]error {
	ctx, errs := f.t.Context(), make(map[string]error)
	_, errs["claim"] = f.Claim(ctx, journal.Claim{Run: run, Digest: digest, Worker: "w1", Token: tokenA}, []journal.AttemptID{at(1, 1), at(2, 1)})
	_, errs["report"] = f.Report(ctx, journal.Claim{Run: run, Worker: "w1", Token: tokenA}, []journal.Outcome{ended(journal.StageSucceeded, 0, 1)})
	errs["decide"] = f.Decide(ctx, run, f.epoch, []journal.Decision{decision(journal.Revoke, journal.StageLost, 0, 1)})
	errs["finish"] = f.Finish(ctx, run, f.epoch, graph(f.t, 0))
	_, errs["cancel"] = f.RequestCancel(ctx, run, "enough")
	s := submission()
	s.Run = "r2"
	_, errs["submit"] = f.Submit(ctx, s)
	return errs
}

func TestScripts_AreSentAgainAfterAFlush(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		if err := f.rdb.ScriptFlush(f.t.Context()).Err(); err != nil {
			f.t.Fatal(err)
		}
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(1, 1)}, true, true)
		f.story("w1: stage.started 0#1", "w1: stage.started 1#1")
	})
}

// A Redis that comes back without its last second, or a replica that takes its place, has lost what
// it had confirmed.
func TestScripts_RefuseWhatFollowsFromLostEntries(t *testing.T) {
	journals(t, func(f *fixture) {
		ctx := f.t.Context()
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		read, err := f.Read(ctx, run, journal.Start, 0)
		if err != nil {
			f.t.Fatal(err)
		}
		last := read[len(read)-1].ID
		if err := f.rdb.XDel(ctx, "godags:{"+string(run)+"}:journal", string(last)).Err(); err != nil {
			f.t.Fatal(err)
		}
		// it follows from nothing that is lost
		f.claim("w1", tokenA, []journal.AttemptID{at(1, 1)}, true)
		_, errRead := f.Read(ctx, run, last, 0)
		_, errClaim := f.Claim(ctx, journal.Claim{Run: run, Digest: digest, Worker: "w1", Token: tokenB, After: last}, []journal.AttemptID{at(2, 1)})
		knowing := f.At(last)
		for what, err := range map[string]error{
			"read": errRead, "claim": errClaim,
			"decide": knowing.Decide(ctx, run, f.epoch, []journal.Decision{decision(journal.EndUnexecuted, journal.StageSkipped, 2, 0)}),
			"finish": knowing.Finish(ctx, run, f.epoch, graph(f.t, 0)),
		} {
			if !errors.Is(err, journal.ErrTruncated) {
				f.t.Errorf("%s: %v", what, err)
			}
		}
		f.story("w1: stage.started 1#1")
	})
}
