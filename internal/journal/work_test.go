package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/redistest"
)

func TestClaim_IsGrantedToOneOfMany(t *testing.T) {
	redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
		f := newFixture(t, rdb)
		var bundle []journal.AttemptID
		for s := range dag.StageID(10) {
			bundle = append(bundle, at(s, 1))
		}
		granted := make([]int, len(bundle))
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				got, err := f.Claim(t.Context(), journal.Claim{Run: run, Digest: digest, Worker: fmt.Sprint("w", i), Token: journal.NewToken()}, bundle[i:])
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				for k, yes := range got {
					if yes {
						granted[i+k]++
					}
				}
			})
		}
		all.Wait()
		if want := slices.Repeat([]int{1}, len(bundle)); !slices.Equal(granted, want) {
			t.Errorf("granted %v times", granted)
		}
		if n := len(records(f.entries(), journal.StageStarted)); n != len(bundle) {
			t.Errorf("%d starts are recorded", n)
		}
	})
}

func records(entries []journal.Entry, of journal.Type) (list []journal.Record) {
	for _, e := range entries {
		for _, r := range e.Records {
			if r.Type == of {
				list = append(list, r)
			}
		}
	}
	return list
}

func TestClaim_SentTwiceIsRecordedOnce(t *testing.T) {
	journals(t, func(f *fixture) {
		bundle := []journal.AttemptID{at(0, 1), at(1, 1)}
		f.claim("w2", tokenB, []journal.AttemptID{at(1, 1)}, true)
		f.claim("w1", tokenA, bundle, true, false)
		f.claim("w1", tokenA, bundle, true, false)
		f.cancel(true)
		f.claim("w1", tokenA, bundle, true, false) // the reply was lost, and then the run cancelled
		f.story("w2: stage.started 1#1", "w1: stage.started 0#1", "run.cancelling enough")
	})
}

func TestStep_RecordsABatchInOneEntry(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(4, 1), at(2, 1), at(3, 1)}, true, true, true)
		f.story("w1: stage.started 4#1", "w1: stage.started 2#1", "w1: stage.started 3#1")
		if n := len(f.entries()); n != 2 {
			f.t.Errorf("%d entries", n)
		}
	})
}

func TestClaim_RefusesAnOlderAttempt(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 3)}, true)
		f.claim("w2", tokenB, []journal.AttemptID{at(0, 1), at(0, 2), at(0, 3)}, false, false, false)
		f.decide(decision(journal.Revoke, journal.StageLost, 0, 3))
		f.claim("w2", tokenB, []journal.AttemptID{at(0, 3), at(0, 2), at(0, 4)}, false, false, true)
		f.story("w1: stage.started 0#3", "stage.lost 0#3", "w2: stage.started 0#4")
	})
}

func TestClaim_RefusesATerminalStage(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(1, 1), at(2, 1)}, true, true, true)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 0, 1), true)
		f.report("w1", tokenA, ended(journal.StageCancelled, 1, 1), true)
		f.decide(decision(journal.EndForced, journal.StageFailed, 2, 1), decision(journal.EndUnexecuted, journal.StageSkipped, 3, 0))
		f.claim("w2", tokenB, []journal.AttemptID{at(0, 2), at(1, 2), at(2, 2), at(3, 1)}, false, false, false, false)
	})
}

func TestClaim_GrantsAnAttemptAfterAFailedOrLostOne(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(1, 1)}, true, true)
		f.report("w1", tokenA, ended(journal.StageFailed, 0, 1), true)
		f.report("w1", tokenA, ended(journal.StageLost, 1, 1), true)
		f.claim("w2", tokenB, []journal.AttemptID{at(0, 1), at(1, 1), at(0, 2), at(1, 2)}, false, false, true, true)
	})
}

func TestClaim_RefusesDuringCancellationAndAfterTheEnd(t *testing.T) {
	journals(t, func(f *fixture) {
		f.cancel(true)
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, false)
		f.finish()
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, false)
		f.story("run.cancelling enough", "run.finished")
	})
}

func TestClaim_RefusesAWorkerWithAnotherSpec(t *testing.T) {
	journals(t, func(f *fixture) {
		got, err := f.Claim(f.t.Context(), journal.Claim{Run: run, Digest: "d2", Worker: "w1", Token: tokenA}, []journal.AttemptID{at(0, 1)})
		if !errors.Is(err, journal.ErrDigest) || len(got) != 0 {
			f.t.Errorf("granted %v, %v", got, err)
		}
		f.story()
	})
}

func TestReport_SentTwiceIsRecordedOnce(t *testing.T) {
	for _, how := range []journal.Type{journal.StageSucceeded, journal.StageFailed, journal.StageLost, journal.StageCancelled} {
		t.Run(how.String(), func(t *testing.T) {
			journals(t, func(f *fixture) {
				f.claim("w1", tokenA, []journal.AttemptID{at(7, 1)}, true)
				f.report("w1", tokenA, ended(how, 7, 1), true)
				f.report("w1", tokenA, ended(how, 7, 1), true)
				f.claim("w1", tokenA, []journal.AttemptID{at(7, 1)}, false)
				f.story("w1: stage.started 7#1", fmt.Sprintf("w1: %s 7#1", how))
			})
		})
	}
}

func TestReport_RefusesASecondOutcome(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(1, 1)}, true, true)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 0, 1), true)
		f.report("w1", tokenA, ended(journal.StageFailed, 0, 1), false)
		f.report("w1", tokenA, ended(journal.StageFailed, 1, 1), true)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 1, 1), false)
		f.story("w1: stage.started 0#1", "w1: stage.started 1#1", "w1: stage.succeeded 0#1", "w1: stage.failed 1#1")
	})
}

func TestReport_RefusesAReportWithoutTheClaim(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		stolen := ended(journal.StageSucceeded, 0, 1)
		stolen.Output = []byte("not mine")
		f.report("w2", tokenB, stolen, false)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 0, 2), false)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 1, 1), false) // nobody claimed it
		f.report("w1", tokenA, ended(journal.StageSucceeded, 0, 1), true)
		f.report("w2", tokenB, stolen, false)
		f.outputs([]dag.StageID{0}, nil)
		f.story("w1: stage.started 0#1", "w1: stage.succeeded 0#1")
	})
}

// The worker was stopped for a while (SIGSTOP, a cut cable) and comes back with what it did
// meanwhile.
func TestReport_RefusesAWorkerThatWasReplaced(t *testing.T) {
	for _, how := range []journal.Type{journal.StageSucceeded, journal.StageFailed, journal.StageLost, journal.StageCancelled} {
		t.Run(how.String(), func(t *testing.T) {
			journals(t, func(f *fixture) {
				f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(1, 1), at(2, 1)}, true, true, true)
				f.decide(decision(journal.Revoke, journal.StageLost, 0, 1), decision(journal.EndForced, journal.StageFailed, 1, 1),
					decision(journal.EndForced, journal.StageCancelled, 2, 1))
				for s := range dag.StageID(3) {
					late := ended(how, s, 1)
					late.Output, late.Log = []byte("late"), head(0, "late")
					f.report("w1", tokenA, late, false)
				}
				f.outputs([]dag.StageID{0, 1, 2}, nil, nil, nil)
				f.log(at(0, 1), "")
				if n := len(f.entries()); n != 3 {
					f.t.Errorf("a late report was recorded: %d entries", n)
				}
			})
		})
	}
}

func TestReport_AcceptsAttemptsThatAreStillHeld(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(1, 1), at(2, 1)}, true, true, true)
		f.decide(decision(journal.Revoke, journal.StageLost, 1, 1))
		got, err := f.Report(f.t.Context(), journal.Claim{Run: run, Worker: "w1", Token: tokenA}, []journal.Outcome{
			ended(journal.StageSucceeded, 0, 1), ended(journal.StageSucceeded, 1, 1), ended(journal.StageFailed, 2, 1)})
		if err != nil || !slices.Equal(got, []bool{true, false, true}) {
			f.t.Errorf("accepted %v, %v", got, err)
		}
		f.story("w1: stage.started 0#1", "w1: stage.started 1#1", "w1: stage.started 2#1", "stage.lost 1#1",
			"w1: stage.succeeded 0#1", "w1: stage.failed 2#1")
	})
}

func TestReport_AcceptsAnyOutcomeDuringCancellation(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(1, 1)}, true, true)
		f.cancel(true)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 0, 1), true)
		f.report("w1", tokenA, ended(journal.StageCancelled, 1, 1), true)
	})
}

func TestCheck_ReturnsControls(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(1, 1), at(2, 1)}, true, true, true)
		f.check(tokenA, nil)
		mine := []journal.AttemptID{at(0, 1), at(1, 1), at(2, 1), at(0, 2), at(9, 1)}
		f.check(tokenA, mine, journal.Continue, journal.Continue, journal.Continue, journal.Revoked, journal.Revoked)
		f.check(tokenB, mine[:1], journal.Revoked)
		f.decide(decision(journal.Revoke, journal.StageLost, 0, 1))
		f.report("w1", tokenA, ended(journal.StageSucceeded, 2, 1), true)
		f.check(tokenA, mine[:3], journal.Revoked, journal.Continue, journal.Revoked)
		f.cancel(true)
		f.check(tokenA, mine[:3], journal.Revoked, journal.Stop, journal.Revoked)
	})
}

func TestStep_TakesTheLastStageOfAMillion(t *testing.T) {
	journals(t, func(f *fixture) {
		const last, final = 999_999, 65_535
		f.claim("w1", tokenA, []journal.AttemptID{at(last, 255), at(0, 1)}, true, true)
		f.decide(decision(journal.Revoke, journal.StageLost, last, 255))
		f.claim("w1", tokenB, []journal.AttemptID{at(last, 256)}, true)
		f.decide(decision(journal.Revoke, journal.StageLost, last, 256))
		f.claim("w1", tokenA, []journal.AttemptID{at(last, final)}, true)
		f.check(tokenA, []journal.AttemptID{at(last, final), at(last, 255), at(last-1, 1)}, journal.Continue, journal.Revoked, journal.Revoked)
		f.report("w1", tokenA, ended(journal.StageSucceeded, last, final), true)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 0, 1), true)
		f.decide(decision(journal.EndUnexecuted, journal.StageSkipped, last, 0), decision(journal.EndUnexecuted, journal.StageSkipped, last-1, 0))
		f.story("w1: stage.started 999999#255", "w1: stage.started 0#1", "stage.lost 999999#255", "w1: stage.started 999999#256",
			"stage.lost 999999#256", "w1: stage.started 999999#65535", "w1: stage.succeeded 999999#65535", "w1: stage.succeeded 0#1",
			"stage.skipped 999998 because of 0")
		if size, err := f.rdb.StrLen(f.t.Context(), "godags:{r}:fence").Result(); size != 8*(last+1) || err != nil {
			f.t.Errorf("the fence takes %d bytes, %v; want 8 a stage", size, err)
		}
	})
}

// outputs checks the outputs of stages; nil stands for none.
func (f *fixture) outputs(stages []dag.StageID, want ...[]byte) {
	f.t.Helper()
	got, err := f.Outputs(f.t.Context(), run, stages...)
	same := func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
	if err != nil || !slices.EqualFunc(got, want, same) {
		f.t.Errorf("outputs of %v: %q, %v; want %q", stages, got, err, want)
	}
}

// log checks what an attempt printed.
func (f *fixture) log(a journal.AttemptID, want string) {
	f.t.Helper()
	if got, err := f.Log(f.t.Context(), run, a); string(got.Bytes()) != want || err != nil {
		f.t.Errorf("log of %v: %q, %v; want %q", a, got.Bytes(), err, want)
	}
}

func TestOutputs_AreKeptToTheByte(t *testing.T) {
	journals(t, func(f *fixture) {
		binary := make([]byte, 256)
		for i := range binary {
			binary[i] = byte(i)
		}
		large := bytes.Repeat(binary, 400)
		for s, output := range [][]byte{binary, {}, nil, []byte("\r\n"), large} {
			f.claim("w1", tokenA, []journal.AttemptID{at(dag.StageID(s), 1)}, true)
			o := ended(journal.StageSucceeded, dag.StageID(s), 1)
			o.Output = output
			f.report("w1", tokenA, o, true)
		}
		f.outputs([]dag.StageID{4, 3, 2, 1, 0, 9}, large, []byte("\r\n"), nil, []byte{}, binary, nil)
		f.outputs(nil)
		f.outputs([]dag.StageID{2}, nil)
	})
}

// A chain is recorded as if each stage had been claimed when the one before it had succeeded,
// although it is sent when all is over.
func TestStep_RefusesLinkedClaimsOfARefusedReport(t *testing.T) {
	journals(t, func(f *fixture) {
		step := func(want ...bool) {
			f.t.Helper()
			var moves []journal.Op
			for s := range dag.StageID(3) {
				if s > 0 {
					claim := journal.ClaimOp(at(s, 1))
					claim.Linked = true
					moves = append(moves, claim)
				}
				moves = append(moves, journal.Op{Outcome: ended(journal.StageSucceeded, s, 1)})
			}
			got, err := f.Step(f.t.Context(), journal.Claim{Run: run, Digest: digest, Worker: "w1", Token: tokenA}, moves)
			if err != nil || !slices.Equal(got, want) {
				f.t.Errorf("accepted %v, %v; want %v", got, err, want)
			}
		}
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		f.decide(decision(journal.Revoke, journal.StageLost, 0, 1))
		step(false, false, false, false, false)
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 2)}, true)
		step(false, false, false, false, false)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 0, 2), true)
		f.claim("w1", tokenB, []journal.AttemptID{at(1, 1)}, true)
		f.report("w1", tokenB, ended(journal.StageFailed, 1, 1), true)
		f.story("w1: stage.started 0#1", "stage.lost 0#1", "w1: stage.started 0#2", "w1: stage.succeeded 0#2",
			"w1: stage.started 1#1", "w1: stage.failed 1#1")
	})
}

func TestStep_RecordsAChainInOneEntry(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		linked := journal.ClaimOp(at(7, 1))
		linked.Linked = true
		out := ended(journal.StageSucceeded, 0, 1)
		out.Output, out.Log = []byte("output"), head(0, "log")
		moves := []journal.Op{{Outcome: out}, linked, {Outcome: ended(journal.StageFailed, 7, 1)}}
		for range 2 { // once by the worker itself
			got, err := f.Step(f.t.Context(), journal.Claim{Run: run, Digest: digest, Worker: "w1", Token: tokenA}, moves)
			if err != nil || !slices.Equal(got, []bool{true, true, true}) {
				f.t.Errorf("accepted %v, %v", got, err)
			}
		}
		f.outputs([]dag.StageID{0, 7}, []byte("output"), nil)
		f.log(at(0, 1), "log")
		f.story("w1: stage.started 0#1", "w1: stage.succeeded 0#1", "w1: stage.started 7#1", "w1: stage.failed 7#1")
		if n := len(f.entries()); n != 3 {
			f.t.Errorf("%d entries, want the submission and one for each step", n)
		}
	})
}
