package journal_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/logtext"
)

func head(from int64, text string) logtext.Text { return logtext.Text{From: from, Head: []byte(text)} }
func tail(from int64, text string) logtext.Text {
	return logtext.Text{From: from, TailFrom: from, Tail: []byte(text)}
}

// save adds to the log of an attempt, and checks whether the claim held.
func (f *fixture) save(token journal.Token, a journal.AttemptID, part logtext.Text, holds bool) {
	f.t.Helper()
	got, err := f.SaveLog(f.t.Context(), run, token, a, part)
	if err != nil || got != holds {
		f.t.Fatalf("claim holds: got %v, %v, want %v", got, err, holds)
	}
}

// since checks what a reader gets who has read the log of an attempt up to an offset.
func (f *fixture) since(a journal.AttemptID, offset int64, want logtext.Text) {
	f.t.Helper()
	got, err := f.LogsSince(f.t.Context(), run, []journal.LogPosition{{AttemptID: at(1, 1)}, {AttemptID: a, Offset: offset}})
	if err != nil {
		f.t.Fatal(err)
	}
	if !got[0].Empty() {
		f.t.Errorf("an attempt that printed nothing has the log %q", got[0].Bytes())
	}
	if w := fmt.Sprintf("%+v", want); fmt.Sprintf("%+v", got[1]) != w {
		f.t.Errorf("after %d bytes: got %+v, want %s", offset, got[1], w)
	}
}

func TestSaveLog_AddsToTheLogOfTheAttempt(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(1, 1)}, true, true)
		f.save(tokenA, at(0, 1), head(0, "one\n"), true)
		f.log(at(0, 1), "one\n")
		f.save(tokenA, at(0, 1), head(4, "two\x00\xff\n"), true)
		f.log(at(0, 1), "one\ntwo\x00\xff\n")

		failed := ended(journal.StageFailed, 0, 1)
		failed.Log = head(0, "one\ntwo\nthree\n")
		f.report("w1", tokenA, failed, true)
		f.claim("w1", tokenB, []journal.AttemptID{at(0, 2)}, true)
		f.log(at(0, 1), "one\ntwo\nthree\n")
		f.log(at(0, 2), "")
		f.log(at(1, 1), "")
	})
}

// go-redis sends a call again if its reply is lost.
func TestSaveLog_SentTwiceAddsOnce(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		for range 2 {
			f.save(tokenA, at(0, 1), head(0, "abc"), true)
		}
		long := logtext.Text{From: 3, Head: []byte("def"), TailFrom: 6, Tail: []byte("ghi")}
		for range 2 {
			f.save(tokenA, at(0, 1), long, true)
		}
		for range 2 {
			f.save(tokenA, at(0, 1), tail(9, "jkl"), true)
		}
		f.log(at(0, 1), "abcdefghijkl")
	})
}

func TestSaveLog_KeepsTheEndOfALongLog(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		f.save(tokenA, at(0, 1), head(0, "start\n"), true)
		for i := range int64(100) {
			f.save(tokenA, at(0, 1), tail(6+i*2000, strings.Repeat(string(rune('a'+i%26)), 1999)+"\n"), true)
		}

		got, err := f.Log(f.t.Context(), run, at(0, 1))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(got.Tail); n < logtext.TailLimit || n > 3*logtext.TailLimit || got.End() != 6+100*2000 || string(got.Head) != "start\n" {
			t.Errorf("got the head %q, and %d bytes up to %d", got.Head, n, got.End())
		}
		if !bytes.HasSuffix(got.Tail, []byte("vvv\n")) {
			t.Errorf("the log ends in %q", got.Tail[len(got.Tail)-5:])
		}
	})
}

// A worker that could not reach Redis for a while has lost a part of the output.
func TestSaveLog_LeavesOutWhatIsMissing(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		f.save(tokenA, at(0, 1), logtext.Text{Head: []byte("ab"), TailFrom: 2, Tail: []byte("cd")}, true)
		f.save(tokenA, at(0, 1), tail(10, "kl"), true)
		f.log(at(0, 1), "ab\n... 8 bytes left out ...\nkl")
	})
}

func TestLogsSince_ContinuesAtAnOffset(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		f.save(tokenA, at(0, 1), logtext.Text{Head: []byte("abc"), TailFrom: 10, Tail: []byte("xyz")}, true)
		text := func(from int64, head string, tailFrom int64, tail string) logtext.Text {
			return logtext.Text{From: from, Head: []byte(head), TailFrom: tailFrom, Tail: []byte(tail)}
		}
		f.since(at(0, 1), 0, text(0, "abc", 10, "xyz"))
		f.since(at(0, 1), 2, text(2, "c", 10, "xyz"))
		f.since(at(0, 1), 5, text(5, "", 10, "xyz"))
		f.since(at(0, 1), 12, text(12, "", 12, "z"))
		f.since(at(0, 1), 13, text(13, "", 13, ""))
		f.since(at(0, 1), 99, text(99, "", 99, ""))
	})
}

// A report without a log, which is how an attempt that printed nothing reports, takes nothing away.
func TestSaveLog_SurvivesTheReport(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		f.save(tokenA, at(0, 1), head(0, "saved"), true)
		f.report("w1", tokenA, ended(journal.StageSucceeded, 0, 1), true)
		f.log(at(0, 1), "saved")
	})
}

func TestStep_KeepsALongLog(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1), at(1, 1)}, true, true)
		f.save(tokenA, at(0, 1), logtext.Text{Head: []byte("ab"), TailFrom: 2, Tail: []byte("cdefg")}, true)
		long := ended(journal.StageFailed, 0, 1)
		long.Log = logtext.Text{Head: []byte("ab"), TailFrom: 8, Tail: []byte("ij")}
		short := ended(journal.StageSucceeded, 1, 1)
		short.Log = head(0, "short")
		accepted, err := f.Report(t.Context(), journal.Claim{Run: run, Worker: "w1", Token: tokenA}, []journal.Outcome{long, short})
		if err != nil || !accepted[0] || !accepted[1] {
			t.Fatalf("accepted %v, %v", accepted, err)
		}
		f.log(at(0, 1), "ab\n... 6 bytes left out ...\nij")
		f.log(at(1, 1), "short")
	})
}

// What a worker sent before the report may come after it: go-redis sends again what was not
// answered.
func TestSaveLog_DoesNotChangeAReportedLog(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		failed := ended(journal.StageFailed, 0, 1)
		failed.Log = head(0, "all of it\n")
		f.report("w1", tokenA, failed, true)
		f.save(tokenA, at(0, 1), head(0, "all"), false)
		f.log(at(0, 1), "all of it\n")
	})
}

func TestSaveLog_IsRefusedWithoutTheClaim(t *testing.T) {
	journals(t, func(f *fixture) {
		f.claim("w1", tokenA, []journal.AttemptID{at(0, 1)}, true)
		for _, a := range []journal.AttemptID{at(0, 2), at(1, 1), at(0, 1)} {
			f.save(tokenB, a, head(0, "not mine"), false)
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
