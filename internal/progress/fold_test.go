package progress

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// cells makes a matrix of n cells, a collector, and 15 stages after it.
func cells(t *testing.T, n int) *spec.Spec {
	t.Helper()
	b := spec.Builder{Name: "demo"}
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("work[n=%d]", i))
		b.Add(names[i], nil, spec.Kind{})
	}
	b.Add("work", names, spec.Kind{Gather: true})
	for i := range 15 {
		b.Add(fmt.Sprintf("after%d", i), []string{"work"}, spec.Kind{})
	}
	sp, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// foldedRun tells a run of a matrix: all cells but one succeed.
func foldedRun(t *testing.T, mode Mode, n int) string {
	t.Helper()
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Out: &out, Mode: mode, Color: ColorNever, Logs: LogsNone, Size: func() (int, int) { return 90, 24 }})
		story := newStory(t, cells(t, n), p.Observe)
		story.submit()
		for i := range n {
			name := fmt.Sprintf("work[n=%d]", i)
			story.start("w1", name)
			pass(time.Second)
			if i == 2 {
				story.end("w1", journal.StageFailed, name, time.Second, journal.Record{Text: "exit status 75", Note: "boom"})
				continue
			}
			story.succeed("w1", name, time.Second, "")
		}
		var skips []journal.Record
		for i := range 15 {
			skips = append(skips, journal.Record{Type: journal.StageSkipped, Stage: story.id(fmt.Sprintf("after%d", i)), Cause: story.id("work[n=2]")})
		}
		story.entry("", append([]journal.Record{{Type: journal.StageSkipped, Stage: story.id("work"), Cause: story.id("work[n=2]")}}, skips...)...)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return out.String()
}

// A person reads a line of 500 instances, and not 500 lines. What failed has its own.
func TestFold_ShowsManyInstancesAsOne(t *testing.T) {
	for _, mode := range []Mode{TTY, Plain} {
		got := foldedRun(t, mode, 50)
		if n := strings.Count(got, "work[n=3]"); n != 0 {
			t.Errorf("%s: an instance that succeeded is named %d times:\n%s", mode, n, got)
		}
		for _, want := range []string{"exit status 75 · boom", "16 stages"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", mode, want, got)
			}
		}
	}
	if got := foldedRun(t, TTY, 50); !strings.Contains(got, "24/50 · 1 running · 1 failed") {
		t.Errorf("no counts in\n%s", got)
	}
	if got := foldedRun(t, Plain, 50); !strings.Contains(got, "work 29/50 · 1 running · 1 failed (30s)") {
		t.Errorf("no counts in\n%s", got)
	}
}

func TestFold_LeavesFewInstancesTheirLines(t *testing.T) {
	got := foldedRun(t, Plain, fewInstances)
	if n := strings.Count(got, "succeeded"); n != fewInstances-1 {
		t.Errorf("%d lines of success, want %d:\n%s", n, fewInstances-1, got)
	}
	if !strings.Contains(got, "16 stages because work[n=2] failed: work, after0, after1, ") {
		t.Errorf("the skipped stages have no line of their own:\n%s", got)
	}
}

// A run that is retried shows its instances as they are, not from 0.
func TestFold_CountsWhatSucceededBeforeARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(Config{Out: &out, Mode: TTY, Color: ColorNever, Size: func() (int, int) { return 90, 24 }})
		sp := cells(t, 30)
		story := newStory(t, sp, p.Observe)
		story.submit()
		for i := range 30 {
			name := fmt.Sprintf("work[n=%d]", i)
			story.start("w1", name)
			if i == 2 {
				story.end("w1", journal.StageFailed, name, time.Second, journal.Record{Text: "exit status 75"})
				continue
			}
			story.succeed("w1", name, time.Second, "")
		}
		failed := story.id("work[n=2]")
		skips := []journal.Record{{Type: journal.StageSkipped, Stage: story.id("work"), Cause: failed}}
		for i := range 15 {
			skips = append(skips, journal.Record{Type: journal.StageSkipped, Stage: story.id(fmt.Sprintf("after%d", i)), Cause: failed})
		}
		story.entry("", skips...)
		story.finish()
		story.entry("", journal.Record{Type: journal.RunReopened, Stage: dag.NoStage})
		out.Reset()
		story.start("w1", "work[n=2]")
		pass(time.Second)
		if !strings.Contains(out.String(), "29/30 · 1 running") {
			t.Errorf("got\n%s", out.String())
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A fan-out makes a small pipeline a large run, whose output is not shown unless it is asked for.
func TestOutput_EndsWithALargeFanOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := spec.Builder{Name: "demo"}
		b.Add("list", nil, spec.Kind{})
		b.Add("work", []string{"list"}, spec.Kind{Policy: spec.Policy{ForEach: "list"}})
		sp, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		p := New(Config{Out: new(bytes.Buffer), Mode: Plain, Color: ColorNever})
		story := newStory(t, sp, p.Observe)
		story.submit()
		story.start("w1", "list")
		if !p.ShowsOutput() {
			t.Error("the output of two stages is not shown")
		}
		story.end("w1", journal.StageSucceeded, "list", time.Second, journal.Record{Count: 60})
		if p.ShowsOutput() {
			t.Error("the output of 60 instances is shown")
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}
