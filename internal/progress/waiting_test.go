package progress

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/spec"
)

// noWorker is a queue without workers.
func noWorker(queue string, stages int) []runstate.Group {
	return []runstate.Group{{Blocked: true, Stages: stages, Block: runstate.Block{
		Queue: queue, Reason: api.Reason{Code: api.ReasonNoWorker, Text: "no live worker listens on queue " + queue}}}}
}

func startWorker(g runstate.Group) string { return "start one with `worker --queue " + g.Queue + "`" }

// A log is read later: it needs when something began and when it ended, and nothing in between.
func TestWaiting_AnnouncesABlockAndItsEndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(Config{Out: &out, Mode: Plain, Color: ColorNever, Remedy: startWorker})
		newStory(t, diamond(t), p.Observe).submit()
		for half := range 150 { // twice a second, for 75 s
			var groups []runstate.Group
			if half < 140 {
				groups = noWorker("gpu", 3)
			}
			if half == 50 || half == 51 { // too short to be worth a line
				groups = append(groups, noWorker("big", 1)...)
			}
			if half >= 60 && half < 80 { // it hides what workers there are
				groups = []runstate.Group{runstate.Unreachable(3)}
			}
			p.Waiting(nil, groups)
			pass(time.Second / 2)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		expect(t, "announcements", out.String(), `
demo: 4 stages, run demo-1
00:00:02.0  waiting     3 stages wait: no live worker listens on queue gpu; start one with `+"`worker --queue gpu`"+`
00:01:10.0  resolved    after 1m10s: no live worker listens on queue gpu

`)
	})
}

func TestWaiting_DoesNotCallACancellationAResolution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(Config{Out: &out, Mode: Plain, Color: ColorNever})
		run := newStory(t, diamond(t), p.Observe)
		run.submit()
		for range 5 {
			p.Waiting(nil, noWorker("gpu", 1))
			pass(time.Second)
		}
		run.entry("", journal.Record{Type: journal.RunCancelling, Text: "interrupt"})
		p.Waiting(nil, nil)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if text := out.String(); !strings.Contains(text, "waiting") || strings.Contains(text, "resolved") {
			t.Errorf("got\n%s", text)
		}
	})
}

// On a terminal every reason is in the block, those that need a person first.
func TestWaiting_ShowsReasonsInTheBlock(t *testing.T) {
	sp := func(t testing.TB) *spec.Spec { return wideSpec(t, 40) }
	onTTY(t, 70, 24, sp, func(s *screen, p *Printer, run *story) {
		run.submit()
		run.start("w1", "s0")
		groups := func() []runstate.Group {
			return run.run.Explain(runstate.Snapshot{ListedState: api.Running, Workers: []fleet.Worker{{ID: "w1", Queues: []string{"default"}, Slots: 1, Busy: 1}}}).Groups()
		}
		p.Waiting(run.run, groups())
		pass(500 * time.Millisecond)
		expect(t, "a slot is missing", s.seen(), `
demo · 40 stages · run demo-1

⠴ s0      running      0.5s
· s1 +38  ready        0.5s  queue default has no free slot (1 of 1 …
[ 0/40] 1 running · 0s                       ────────────────────────
`)
		p.Waiting(run.run, run.run.Explain(runstate.Snapshot{ListedState: api.Running}).Groups())
		pass(100 * time.Millisecond)
		expect(t, "no worker is left", s.seen(), `
demo · 40 stages · run demo-1

⠦ s0      running      0.6s
! s1 +38  ready        0.1s  no live worker listens on queue default
[ 0/40] 1 running · 0s                       ────────────────────────
`)
	})
}
