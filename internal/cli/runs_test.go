package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/internal/runs"
)

func TestRunsAreListedNewestFirst(t *testing.T) {
	f := newFixture(t)
	f.execute("runs").expect(t, 0, "no runs yet: start one with `prog run --redis "+f.server.URL()+"`")
	f.submit("demo-1", undriven)
	f.failed("demo-2")
	f.submit("demo-3", driven)

	o := f.execute("runs", "--color", "never")
	o.expect(t, 0)
	var got [][]string
	for line := range strings.Lines(o.stdout) {
		got = append(got, strings.Fields(line)[:4])
	}
	for i, want := range [][]string{
		{"RUN", "PIPELINE", "STATE", "STAGES"},
		{"demo-3", "demo", "running", "4"},
		{"demo-2", "demo", "failed", "2/4,"},
		{"demo-1", "demo", "stalled", "4"},
	} {
		if i >= len(got) || strings.Join(got[i], " ") != strings.Join(want, " ") {
			t.Fatalf("line %d is not %q:\n%s", i+1, want, o.stdout)
		}
	}
	o.expect(t, 0, "2/4, 1 failed, 1 skipped")
	f.execute("runs", "--color", "always").expect(t, 0, "\x1b[1;31mfailed\x1b[0m")

	f.execute("runs", "--pipeline", "demo", "--state", "failed").expect(t, 0, "demo-2")
	f.execute("runs", "--pipeline", "other").expect(t, 0, "no such runs")
	f.execute("runs", "--pipeline", "").expect(t, 2, "--pipeline is an empty text")
	f.execute("runs", "prune", "--pipeline", "").expect(t, 2, "--pipeline is an empty text")

	o = f.execute("runs", "--limit", "1")
	if !strings.Contains(o.stdout, "demo-3") || strings.Contains(o.stdout, "demo-2") {
		t.Errorf("--limit 1 lists\n%s", o.stdout)
	}
}

func TestRunsForPrograms(t *testing.T) {
	f := newFixture(t)
	if o := f.execute("runs", "--output", "json"); o.stdout != "[]\n" || o.stderr != "" {
		t.Errorf("without runs: %q, %q", o.stdout, o.stderr)
	}
	f.failed("demo-1")
	f.submit("demo-2", driven)
	o := f.execute("runs", "--output", "json")
	var list []struct {
		Run, Pipeline, State string
		Stages               map[string]int
		Started              time.Time
		Finished             *time.Time
		Seconds              *float64
	}
	if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || len(list) != 2 {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	running, failed := list[0], list[1]
	if running.Run != "demo-2" || running.State != "running" || running.Finished != nil || len(running.Stages) != 1 || running.Stages["total"] != 4 {
		t.Errorf("a run that goes on: %+v", running)
	}
	if failed.Pipeline != "demo" || failed.State != "failed" || failed.Finished == nil || failed.Stages["succeeded"] != 2 || failed.Stages["failed"] != 1 {
		t.Errorf("a run that failed: %+v", failed)
	}
}

func TestRunsRefusesBadFlags(t *testing.T) {
	execute(t, "runs", "--limit", "0").expect(t, 2, "--limit must be at least 1")
	execute(t, "runs", "--limit", "many").expect(t, 2, "limit")
	execute(t, "runs", "--output", "xml").expect(t, 2, "--output is text or json")
	execute(t, "runs", "--color", "sometimes").expect(t, 2, "color", "auto, always, never")
}

func TestMomentsAreShownAsPeopleSayThem(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.Local)
	for ago, want := range map[time.Duration]string{
		-time.Hour:              "0s ago", // the clocks differ
		1900 * time.Millisecond: "1s ago",
		90 * time.Second:        "1m ago",
		10 * time.Minute:        "10m ago",
		3*time.Hour + 4*time.Minute + 5*time.Second: "3h4m ago",
		25 * time.Hour: "2026-03-03 11:00",
	} {
		if got := moment(now.Add(-ago), now); got != want {
			t.Errorf("%s ago is shown as %q, want %q", ago, got, want)
		}
	}
}

func TestATableIsHarmlessToATerminal(t *testing.T) {
	_, out, _ := testProgram(t)
	p := Program{Out: out}
	list := []runs.Summary{{ID: "demo", Pipeline: "\x1b[2J\r\n", State: "running", Submitted: time.Now()}}
	if err := p.print(func(w *bufio.Writer) error { runTable(list, time.Now()).print(w, form{}, ""); return nil }); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\r") || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("it is not two lines that are harmless: %q", out)
	}
}

// What a terminal is too narrow for is left out or cut short, rather than broken into lines that
// nobody can read.
func TestATableFitsIntoTheTerminal(t *testing.T) {
	for width, want := range map[int]string{
		0: "RUN                         PIPELINE            STATE   STAGES                       STARTED\n" +
			"nightly-20261122-213031-eg  a_long_pipeline_夜  failed  3/6, 1 failed, 2 skipped...  1s ago\n",
		74: "RUN                         PIPELINE       STATE   STAGES          STARTED\n" +
			"nightly-20261122-213031-eg  a_long_pipel…  failed  3/6, 1 failed…  1s ago\n",
		52: "RUN                         PIPELINE          STATE\n" +
			"nightly-20261122-213031-eg  a_long_pipeline…  failed\n",
		20: "RUN                         STATE\nnightly-20261122-213031-eg  failed\n",
	} {
		var b bytes.Buffer
		out := bufio.NewWriter(&b)
		list := table{{"RUN", "PIPELINE", "STATE", "STAGES", "STARTED"},
			{"nightly-20261122-213031-eg", "a_long_pipeline_夜", "failed", "3/6, 1 failed, 2 skipped...", "1s ago"}}
		list.print(out, form{width: width}, "")
		if err := out.Flush(); err != nil || b.String() != want {
			t.Errorf("on %d columns, %v:\n%s", width, err, &b)
		}
	}
}

func TestAParagraphGoesOnBelowItsText(t *testing.T) {
	for width, want := range map[int]string{
		0:  "ok  redis  it is a primary\n           at home\n",
		22: "ok  redis  it is a\n           primary\n           at home\n",
		15: "ok  redis  it is a primary\n           at home\n", // there is no room for any text
	} {
		var b bytes.Buffer
		out := bufio.NewWriter(&b)
		form{width: width}.paragraph(out, "ok  redis  ", strings.Repeat(" ", 11), "it is a primary\nat home")
		if err := out.Flush(); err != nil || b.String() != want {
			t.Errorf("on %d columns, %v:\n%s", width, err, &b)
		}
	}
}
