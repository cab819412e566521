package progress

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// onTTY tells a story on a screen, in a bubble whose time is not the world's.
func onTTY(t *testing.T, width, height int, sp func(testing.TB) *spec.Spec, tell func(*screen, *Printer, *story)) {
	synctest.Test(t, func(t *testing.T) {
		s := newScreen(width, height)
		p := New(Config{Out: s, Mode: TTY, Color: ColorAlways, Size: s.size, Remedy: startWorker})
		tell(s, p, newStory(t, sp(t), p.Observe))
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if !s.cursor || !s.wrap || s.x != 0 {
			t.Errorf("the terminal is left with cursor %v, wrap %v, column %d", s.cursor, s.wrap, s.x)
		}
		for _, c := range s.complaints {
			t.Errorf("complaint of the terminal: %s", c)
		}
	})
}

// pass lets time pass, and what is to be drawn meanwhile be drawn.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func expect(t testing.TB, what, got, want string) {
	t.Helper()
	if want = strings.TrimPrefix(want, "\n"); got != want {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s", what, got, want)
	}
}

func diamond(t testing.TB) *spec.Spec {
	return build(t, []string{"ingest"}, []string{"left", "ingest"}, []string{"right", "ingest"}, []string{"merge", "left", "right"})
}

func TestFinishedStagesStayAboveThoseThatRun(t *testing.T) {
	onTTY(t, 60, 24, diamond, func(s *screen, p *Printer, run *story) {
		run.submit()
		run.start("w1", "ingest")
		pass(200 * time.Millisecond)
		expect(t, "one stage runs", s.seen(), `
demo · 4 stages · run demo-1

⠹ ingest  running      0.2s
[0/4] 1 running · 0s               ────────────────────────
`)
		run.succeed("w1", "ingest", 300*time.Millisecond, "178 rows")
		run.start("w1", "left")
		run.start("w2", "right")
		pass(12 * time.Second)
		expect(t, "two stages run", s.seen(), `
demo · 4 stages · run demo-1
✓ ingest  succeeded   300ms  178 rows

⠹ left    running       12s  on w1
⠹ right   running       12s  on w2
[1/4] 2 running · 12s              ━━━━━━──────────────────
`)
		run.end("w1", journal.StageFailed, "left", 72*time.Second, journal.Record{Text: "exit status 3\nand more", Note: "bye"})
		run.entry("", journal.Record{Type: journal.StageSkipped, Stage: run.id("merge"), Cause: run.id("left")})
		run.end("", journal.StageLost, "right", 0, journal.Record{Text: "its worker died (w2)"})
		run.start("w1", "right")
		pass(100 * time.Millisecond)
		expect(t, "one failed and one was lost", s.seen(), `
demo · 4 stages · run demo-1
✓ ingest  succeeded   300ms  178 rows
✗ left    failed      1m12s  exit status 3 · bye
↷ merge   skipped            because left failed
↻ right   lost               its worker died (w2)

⠸ right   running      0.1s  attempt 2 · on w1
[3/4] 1 running · 1 failed · 1 retried · 1 skipped · 12s
`)
		run.succeed("w1", "right", time.Second, "done")
		run.finish()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		expect(t, "at the end", s.all(), `
demo · 4 stages · run demo-1
✓ ingest  succeeded   300ms  178 rows
✗ left    failed      1m12s  exit status 3 · bye
↷ merge   skipped            because left failed
↻ right   lost               its worker died (w2)
✓ right   succeeded   1.00s  attempt 2 · done
`)
	})
}

func TestBlockIsNeverTallerThanTheScreen(t *testing.T) {
	for height := 1; height <= 16; height++ {
		sp := func(t testing.TB) *spec.Spec { return wideSpec(t, 40) }
		onTTY(t, 50, height, sp, func(s *screen, p *Printer, run *story) {
			run.submit()
			for i := range 15 {
				run.start("w1", fmt.Sprintf("s%d", i))
			}
			pass(200 * time.Millisecond)
			rows := strings.Count(s.seen(), " running  ")
			want := max(0, min(10, height-3)-1)
			if rows != want {
				t.Errorf("height %d: %d running stages are shown, want %d:\n%s", height, rows, want, s.seen())
			}
			if more := fmt.Sprintf("+%d more running", 15-want); height > 3 != strings.Contains(s.seen(), more) {
				t.Errorf("height %d: does %q belong here?\n%s", height, more, s.seen())
			}
			for i := range 15 {
				run.succeed("w1", fmt.Sprintf("s%d", i), time.Second, "")
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if n := strings.Count(s.all(), "\n"); n != 16 {
				t.Errorf("height %d: %d lines are left, want the header and 15 stages:\n%s", height, n, s.all())
			}
		})
	}
}

func TestResizeLeavesNoTraces(t *testing.T) {
	sizes := [][2]int{{60, 12}, {30, 12}, {100, 30}, {23, 6}, {8, 4}, {41, 9}, {120, 3}, {60, 24}}
	for _, rewrap := range []bool{true, false} {
		sp := func(t testing.TB) *spec.Spec { return wideSpec(t, 40) }
		onTTY(t, 80, 24, sp, func(s *screen, p *Printer, run *story) {
			run.submit()
			for i, size := range sizes {
				for k := range 4 {
					run.start("w1", fmt.Sprintf("s%d", 4*i+k))
				}
				pass(150 * time.Millisecond)
				run.succeed("w1", fmt.Sprintf("s%d", 4*i), time.Second, "ok")
				pass(150 * time.Millisecond)
				s.resize(size[0], size[1], rewrap)
				pass(150 * time.Millisecond)
				if n := strings.Count(s.all(), "/40]"); n != 1 {
					t.Fatalf("rewrap %v: after the resize to %v there are %d blocks:\n%s", rewrap, size, n, s.all())
				}
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if strings.Contains(s.all(), "running") {
				t.Errorf("rewrap %v: a part of the block is left:\n%s", rewrap, s.all())
			}
			for i := range sizes {
				if name := regexp.MustCompile(fmt.Sprintf(`✓ s%d\b`, 4*i)); len(name.FindAllString(s.all(), -1)) != 1 {
					t.Errorf("rewrap %v: %q is not there once:\n%s", rewrap, name, s.all())
				}
			}
		})
	}
}

func TestNarrowTerminals(t *testing.T) {
	sp := func(t testing.TB) *spec.Spec {
		return build(t, []string{"preprocess_of_all_the_images_shard_0001"}, []string{"日本語の段階"}, []string{"b"})
	}
	for width, want := range map[int]string{
		70: `
demo · 3 stages · run demo-1
✓ preprocess_…_shard_0001  succeeded   1.50s  値 = 好的, and quite s…
✗ 日本語の段階             failed       20ms  \x1b[2J is not for the…

⠙ b                        running      0.1s
[2/3] 1 running · 1 failed · 0s              ━━━━━━━━━━━━━━━━────────
`,
		38: `
demo · 3 stages · run demo-1
✓ prepro…_0001  succeeded   1.50s
✗ 日本語の段階  failed       20ms

⠙ b             running      0.1s
[2/3] 1 running · 1 failed · 0s
`,
		20: `
demo · 3 stages · …
✓ prep…001
✗ 日本…階

⠙ b
[2/3] 1 running
`,
		8: `
demo ·…
✓ pr…01
✗ 日…階

⠙ b
[2/3]
`,
	} {
		onTTY(t, width, 12, sp, func(s *screen, _ *Printer, run *story) {
			run.submit()
			run.start("w1", "preprocess_of_all_the_images_shard_0001", "日本語の段階", "b")
			run.succeed("w1", "preprocess_of_all_the_images_shard_0001", 1500*time.Millisecond, "値 = 好的, and quite some words more")
			run.end("w1", journal.StageFailed, "日本語の段階", 20*time.Millisecond, journal.Record{Text: "\x1b[2J is not for the terminal"})
			pass(100 * time.Millisecond)
			expect(t, fmt.Sprintf("width %d", width), s.seen(), want)
		})
	}
}

func TestNobodyReadsThousandsOfLinesInASecond(t *testing.T) {
	const perSecond = 50_000
	sp := func(t testing.TB) *spec.Spec { return wideSpec(t, 2*perSecond+100) }
	onTTY(t, 100, 24, sp, func(s *screen, p *Printer, run *story) {
		run.submit()
		end := func(i int) {
			name := fmt.Sprintf("s%d", i)
			if i%20_000 == 7 {
				run.end("w1", journal.StageFailed, name, time.Millisecond, journal.Record{Text: "no"})
			} else {
				run.succeed("w1", name, time.Millisecond, "")
			}
		}
		for i := range 2 * perSecond {
			end(i)
			if i%500 == 499 {
				pass(10 * time.Millisecond)
			}
		}
		pass(2 * time.Second)
		for i := range 100 {
			run.succeed("w1", fmt.Sprintf("s%d", 2*perSecond+i), time.Millisecond, "")
		}
		if most := 1 + int(4*time.Second/drawEvery); s.writes > most {
			t.Errorf("drawn %d times in four seconds, want %d at the most", s.writes, most)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		all := s.all()
		if n := strings.Count(all, " succeeded  "); n != shownPerSecond+100 {
			t.Errorf("%d lines of success, want %d of the first second and 100 of the last", n, shownPerSecond)
		}
		for i := 7; i < 2*perSecond; i += 20_000 {
			if want := fmt.Sprintf("✗ s%d ", i); strings.Count(all, want) != 1 {
				t.Errorf("the failure %q is not shown once", want)
			}
		}
		if want := "\n  ... 99,795 more succeeded\n"; !strings.Contains(all, want) || strings.Count(all, " more ") != 1 {
			t.Errorf("%q is not all that is said of the others:\n%s", want, all[len(all)-9000:])
		}
	})
}

func TestMessagesStandAboveTheBlock(t *testing.T) {
	onTTY(t, 60, 12, diamond, func(s *screen, p *Printer, run *story) {
		run.submit()
		run.start("w1", "ingest")
		p.Waiting(nil, noWorker("gpu", 3))
		pass(announceAfter)
		fmt.Fprint(p, "a warning\r\nand\tan\x1b[2J escape\nwithout end")
		p.Waiting(nil, noWorker("gpu", 3))
		pass(100 * time.Millisecond)
		expect(t, "with messages", s.seen(), `
demo · 4 stages · run demo-1
a warning
and  an\x1b[2J escape
! 3 stages wait: no live worker listens on queue gpu; start
one with `+"`worker --queue gpu`"+`

⠙ ingest    running      2.1s
! 3 stages  ready        2.1s  no live worker listens on q…
[0/4] 1 running · 2s               ────────────────────────
`)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if !strings.HasSuffix(s.all(), "worker --queue gpu`\nwithout end\n") {
			t.Errorf("the message without a line end is lost:\n%s", s.all())
		}
	})
}

func TestCancellation(t *testing.T) {
	onTTY(t, 60, 12, diamond, func(s *screen, _ *Printer, run *story) {
		run.submit()
		run.start("w1", "ingest")
		run.entry("", journal.Record{Type: journal.RunCancelling, Text: "interrupt"})
		run.entry("", journal.Record{Type: journal.StageCancelled, Stage: run.id("left")}, journal.Record{Type: journal.StageCancelled, Stage: run.id("right")})
		run.entry("", journal.Record{Type: journal.StageSkipped, Stage: run.id("merge"), Cause: run.id("left")})
		pass(900 * time.Millisecond)
		run.end("w1", journal.StageCancelled, "ingest", time.Second, journal.Record{Text: "signal: killed"})
		pass(100 * time.Millisecond)
		expect(t, "while it is cancelled", s.seen(), `
demo · 4 stages · run demo-1
⊘ cancelling: interrupt · 1 running stage asked to stop
↷ merge   skipped            because left was cancelled
⊘ ingest  cancelled   1.00s  signal: killed
  ... 2 more cancelled

[4/4] cancelling · 0 running · 1 skipped · 3 cancelled · 1s
`)
	})
}

func TestEstimate(t *testing.T) {
	sp := func(t testing.TB) *spec.Spec { return wideSpec(t, 100) }
	onTTY(t, 90, 12, sp, func(s *screen, _ *Printer, run *story) {
		run.submit()
		for i := range 40 {
			run.succeed("w1", fmt.Sprintf("s%d", i), time.Second, "")
			pass(time.Second)
			if has := strings.Contains(s.seen(), "eta ~"); has != (i >= 3) {
				t.Fatalf("after %d stages: an estimate is shown: %v", i+1, has)
			}
		}
		if !strings.Contains(s.seen(), "[ 40/100] 0 running · 40s · eta ~1m00s") {
			t.Errorf("a stage a second, sixty to go:\n%s", s.seen())
		}
		for i := 40; i < 90; i++ { // twice as fast
			run.succeed("w1", fmt.Sprintf("s%d", i), time.Second, "")
			pass(500 * time.Millisecond)
		}
		if !strings.Contains(s.seen(), "[ 90/100] 0 running · 1m05s · eta ~6s") {
			t.Errorf("two stages a second, ten to go, and slower before:\n%s", s.seen())
		}
	})
}

// The clock of Redis may be that of another machine, and a run may be resumed a day after it began.
func TestTimesAreByTheClockOfRedis(t *testing.T) {
	onTTY(t, 60, 12, diamond, func(s *screen, _ *Printer, run *story) {
		run.now = func() time.Time { return time.Now().Add(-25 * time.Hour) }
		run.submit()
		run.now = func() time.Time { return time.Now().Add(-time.Hour) }
		run.start("w1", "ingest")
		pass(5 * time.Second)
		expect(t, "an hour behind", s.seen(), `
demo · 4 stages · run demo-1

⠋ ingest  running      5.0s
[0/4] 1 running · 24h00m           ────────────────────────
`)
	})
}

func TestARunningStageShowsTheLastLineThatItPrinted(t *testing.T) {
	onTTY(t, 60, 24, diamond, func(s *screen, p *Printer, run *story) {
		run.submit()
		run.start("w1", "ingest")
		for _, a := range p.Shown() {
			p.Logs(map[journal.AttemptID][]byte{a: []byte("part 1\r\n 1%\r 2%\rpa\brt\x1b[2J 2\u202e\r\n")})
		}
		pass(200 * time.Millisecond)
		expect(t, "it runs", s.seen(), `
demo · 4 stages · run demo-1

⠹ ingest  running      0.2s  prt 2\u202e
[0/4] 1 running · 0s               ────────────────────────
`)
		run.succeed("w1", "ingest", time.Second, "")
		if shown := p.Shown(); len(shown) != 0 {
			t.Errorf("%v runs no more", shown)
		}
	})
}
