package progress

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
)

// triedAgain is a run that failed and was reopened, seen by whoever reopened it after its fifth
// entry.
func triedAgain(s *story) {
	s.t.Helper()
	s.submit()
	s.succeed("w1", "ingest", 300*time.Millisecond, "178 rows")
	s.succeed("w1", "left", time.Second, "")
	s.entry("w1", journal.Record{Type: journal.StageFailed, Stage: s.id("right"), Attempt: 1, Duration: time.Second, Text: "exit status 3"},
		journal.Record{Type: journal.StageSkipped, Stage: s.id("merge"), Cause: s.id("right")})
	s.finish()
	s.entry("", journal.Record{Type: journal.RunReopened, Stage: dag.NoStage})
	s.succeed("w2", "right", time.Second, "")
	s.succeed("w2", "merge", time.Second, "done")
	s.finish()
}

// Who tries a run again knows what was before, and wants to see what becomes of it now.
func TestWhatWasBeforeIsOneLine(t *testing.T) {
	onTTY(t, 70, 24, diamond, func(s *screen, p *Printer, run *story) {
		p.Past("5-0")
		triedAgain(run)
		pass(drawEvery)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		expect(t, "on a terminal", s.all(), `
demo · 4 stages · run demo-1
  so far: 2 succeeded · 1 failed · 1 skipped
↻ reopened: 2 stages to be executed again
✓ right   succeeded   1.00s  attempt 2
✓ merge   succeeded   1.00s  done
`)
	})
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(Config{Out: &out, Mode: Plain, Color: ColorNever})
		p.Past("5-0")
		triedAgain(newStory(t, diamond(t), p.Observe))
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		expect(t, "in a file", out.String(), `
demo: 4 stages, run demo-1
00:00:00.0  so far      [4/4] 2 succeeded · 1 failed · 1 skipped
00:00:00.0  reopened    2 stages to be executed again
00:00:00.0  succeeded   right   #2   1.00s
00:00:00.0  succeeded   merge        1.00s

`)
	})
}
