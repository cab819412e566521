package picture

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/term"
)

func drawTimeline(t *testing.T, line Timeline, f Format) string {
	t.Helper()
	var out bytes.Buffer
	if err := DrawTimeline(&out, line, f); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func bar(state dag.State, from, to float64) Bar {
	return Bar{State: state, From: time.Duration(from * 1e9), To: time.Duration(to * 1e9), Title: fmt.Sprintf("%s <%v to %v>", state, from, to)}
}

// nightly has one stage of each kind: retried, waiting, failed, running.
func nightly() Timeline {
	return Timeline{
		Title: "nightly · run r1 · running for 10s", Notes: []string{"5 stages, 1 failed attempt retried"}, Length: 10 * time.Second,
		Rows: []Row{
			{Name: "fetch", State: dag.Succeeded, Label: "2s", Critical: true, Bars: []Bar{bar(dag.Succeeded, 0, 2)}},
			{Name: "flaky <&", State: dag.Succeeded, Label: "1s · 2 attempts",
				Bars: []Bar{bar(dag.Ready, 2, 3), bar(dag.Failed, 3, 4), bar(dag.Retrying, 4, 6), bar(dag.Succeeded, 6, 7)}},
			{Name: "broken", State: dag.Failed, Label: "1ms · failed", Bars: []Bar{bar(dag.Failed, 5, 5.001)}},
			{Name: "long", State: dag.Running, Label: "3s · running", Bars: []Bar{bar(dag.Running, 7, 10)}},
			{Name: "queued", State: dag.Ready, Label: "ready", Bars: []Bar{bar(dag.Ready, 7, 10)}},
		},
	}
}

// fanOut has so many instances, eight at a time, one of which failed.
func fanOut(n int) Timeline {
	t := Timeline{Title: "fan-out", Length: time.Duration(n/8+2) * time.Second}
	t.Rows = append(t.Rows, Row{Name: "prepare", Critical: true, State: dag.Succeeded, Bars: []Bar{bar(dag.Succeeded, 0, 1)}})
	for i := range n {
		at := float64(1 + i/8)
		state := dag.Succeeded
		if i == 3 {
			state = dag.Failed
		}
		t.Rows = append(t.Rows, Row{Name: fmt.Sprintf("train[%d]", i), State: state, Bars: []Bar{bar(state, at, at+1)}})
	}
	return t
}

func TestTimeline_LooksAsBefore(t *testing.T) {
	for name, line := range map[string]Timeline{"timeline": nightly(), "timeline-large": fanOut(500)} {
		golden(t, "testdata/"+name+".ascii", drawTimeline(t, line, ASCII))
		golden(t, "testdata/"+name+".svg", drawTimeline(t, line, SVG))
	}
}

func TestTimeline_IsNeverWiderThanTheTerminal(t *testing.T) {
	for _, width := range []int{60, 80, 140, 400} {
		line := nightly()
		line.Width = width
		line.Rows[1].Name = strings.Repeat("long", 40)
		line.Rows[1].Label = strings.Repeat("label", 40)
		text := strings.Split(drawTimeline(t, line, ASCII), "\n")
		for _, row := range text[3:] {
			if term.Width(row) > width {
				t.Errorf("at %d columns a line has %d: %s", width, term.Width(row), row)
			}
		}
	}
}

func TestTimeline_FoldsInstances(t *testing.T) {
	rows, left := fanOut(500).rows(30)
	if len(rows) != 2 || left != 0 || rows[1].Name != "train[*]" || rows[1].State != dag.Failed || rows[1].Label != "499 succeeded, 1 failed" {
		t.Errorf("%d rows, %d left, the second is %s: %s, %s", len(rows), left, rows[1].Name, rows[1].State, rows[1].Label)
	}

	whole := fanOut(500)
	whole.Full = true
	if rows, left := whole.rows(30); len(rows) != 501 || left != 0 {
		t.Errorf("the full timeline has %d rows and leaves %d out", len(rows), left)
	}
}

func TestTimeline_KeepsTheRowsThatSayMost(t *testing.T) {
	line := Timeline{Length: time.Minute}
	for i := range 500 {
		line.Rows = append(line.Rows, Row{Name: fmt.Sprintf("%dth", i), State: dag.Succeeded, Bars: []Bar{bar(dag.Succeeded, 1, 2)}})
	}
	line.Rows[100].State = dag.Failed
	line.Rows[200].Critical = true
	line.Rows[300].Bars[0].To = 50 * time.Second

	rows, left := line.rows(3)
	if len(rows) != 3 || left != 497 || rows[0].Name != "100th" || rows[1].Name != "200th" || rows[2].Name != "300th" {
		t.Errorf("it leaves %d out and keeps %v", left, rows)
	}
	if text := drawTimeline(t, line, ASCII); !strings.Contains(text, "\n  +470 more\n") {
		t.Errorf("it does not say how many are left out:\n%s", text)
	}
}

func TestTimeline_LoadIsTheNumberAtOnce(t *testing.T) {
	r := Row{Bars: []Bar{bar(dag.Succeeded, 0, 5), bar(dag.Succeeded, 2.5, 5), bar(dag.Ready, 5, 10)}}
	running, waiting := r.load(10*time.Second, 2)
	if running[0] != 1.5 || running[1] != 0 || waiting[0] || !waiting[1] {
		t.Errorf("running %v, waiting %v", running, waiting)
	}
}

func TestTimeline_WithoutRowsHasItsTitle(t *testing.T) {
	for _, f := range []Format{ASCII, SVG} {
		if text := drawTimeline(t, Timeline{Title: "empty"}, f); !strings.Contains(text, "empty") {
			t.Errorf("%s: %s", f, text)
		}
	}
	if err := DrawTimeline(&bytes.Buffer{}, nightly(), DOT); err == nil {
		t.Error("a timeline is drawn as dot")
	}
}

func TestTickText(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 500 * time.Millisecond: "500ms", time.Minute: "1m", 90 * time.Second: "1m30s", 2 * time.Hour: "2h"} {
		if got := tickText(d); got != want {
			t.Errorf("tickText(%v) = %s, want %s", d, got, want)
		}
	}
}
