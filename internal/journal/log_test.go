package journal_test

import (
	"strings"
	"testing"

	"github.com/godags/godags/internal/journal"
)

func TestLogsAreKeptByAttempt(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(1, 1)}, true, true)
		for _, soFar := range []string{"one\n", "one\ntwo\x00\xff\n"} {
			if err := f.SaveLog(f.t.Context(), run, tokenA, at(0, 1), []byte(soFar)); err != nil {
				f.t.Fatal(err)
			}
			f.log(at(0, 1), soFar)
		}
		failed := ended(journal.StageFailed, 0, 1)
		failed.Log = []byte("one\ntwo\nthree\n")
		f.report("w1", tokenA, failed, true)
		f.claim("w1", tokenB, []journal.AttemptID{at(0, 2)}, true)
		f.log(at(0, 1), "one\ntwo\nthree\n")
		f.log(at(0, 2), "")
		f.log(at(1, 1), "")
	})
}

// A report without a log, which is how an attempt that printed nothing reports, takes nothing away.
func TestASavedLogSurvivesTheReport(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		if err := f.SaveLog(f.t.Context(), run, tokenA, at(0, 1), []byte("saved")); err != nil {
			f.t.Fatal(err)
		}
		f.report("w1", tokenA, ended(journal.StageSucceeded, 0, 1), true)
		f.log(at(0, 1), "saved")
	})
}

// What a worker sent before the report may come after it: go-redis sends again what was not
// answered.
func TestALogThatIsSavedLateDoesNotReplaceTheReportedOne(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		failed := ended(journal.StageFailed, 0, 1)
		failed.Log = []byte("all of it\n")
		f.report("w1", tokenA, failed, true)
		if err := f.SaveLog(f.t.Context(), run, tokenA, at(0, 1), []byte("all")); err != nil {
			f.t.Fatal(err)
		}
		f.log(at(0, 1), "all of it\n")
	})
}

func TestAWorkerWhoseClaimIsVoidSavesNoLog(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		for _, a := range []journal.AttemptID{at(0, 2), at(1, 1), at(0, 1)} {
			if err := f.SaveLog(f.t.Context(), run, tokenB, a, []byte("not mine")); err != nil {
				f.t.Fatal(err)
			}
			f.log(a, "")
		}
	})
}

func TestRecord_CutsLongTexts(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		o := ended(journal.StageFailed, 0, 1)
		o.Record.Note, o.Record.Text = strings.Repeat("n", 1e6), strings.Repeat("t", 1e6)
		f.report("w1", tokenA, o, true)
		got := records(f.entries(), journal.StageFailed)[0]
		if len(got.Note) != journal.MaxNote || len(got.Text) != journal.MaxText {
			f.t.Errorf("note of %d bytes, text of %d", len(got.Note), len(got.Text))
		}
	})
}
