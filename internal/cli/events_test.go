package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
)

func TestEventsAreOneObjectPerLine(t *testing.T) {
	f := newFixture(t)
	f.failed("demo-1")
	o := f.execute("events", "demo-1")
	o.expect(t, 0)
	var got []string
	for line := range strings.Lines(o.stdout) {
		var e struct {
			Seq         int
			Type, Stage string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if e.Seq != len(got)+1 {
			t.Errorf("event %d has seq %d", len(got)+1, e.Seq)
		}
		got = append(got, strings.TrimSpace(e.Type+" "+e.Stage))
	}
	want := "run.submitted, stage.started first, stage.succeeded first, stage.started third, stage.succeeded third, " +
		"stage.started second, stage.failed second, stage.skipped last, run.finished"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
	if followed := f.execute("events", "--follow", "demo-1"); followed != o {
		t.Errorf("following a finished run gives\n%s\nwant\n%s", followed.stdout, o.stdout)
	}
}

// following is a command that prints while the test goes on.
type following struct {
	*bufio.Scanner
	stderr *bytes.Buffer
	code   chan int
}

// follow starts `events --follow` and returns when it has printed the first event.
func (f fixture) follow(id string) following {
	f.Helper()
	p, _, stderr := testProgram(f.T)
	r, w := io.Pipe()
	p.Out = w
	l := following{bufio.NewScanner(r), stderr, make(chan int, 1)}
	go func() {
		l.code <- Main(f.Context(), p, []string{"events", id, "--follow", "--redis", f.server.URL()})
		w.Close()
	}()
	f.Cleanup(func() {
		for l.Scan() { // it ends before the test does
		}
	})
	if !l.Scan() || !strings.Contains(l.Text(), "run.submitted") {
		f.Fatalf("the first event is %q", l.Text())
	}
	return l
}

func TestEventsAreFollowedUntilTheRunEnds(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	l := f.follow("demo-1")
	for s, name := range []string{"first", "second", "third", "last"} {
		f.succeed("demo-1", dag.StageID(s), "", "")
		for _, want := range []string{"stage.started", "stage.succeeded"} {
			if !l.Scan() || !strings.Contains(l.Text(), `"type":"`+want+`","stage":"`+name+`"`) {
				t.Fatalf("got %s, want %s of %s", l.Text(), want, name)
			}
		}
	}
	f.finish("demo-1")
	if !l.Scan() || !strings.Contains(l.Text(), "run.finished") {
		t.Errorf("the last event is %s", l.Text())
	}
	if code := <-l.code; code != 0 {
		t.Errorf("exit code %d: %s", code, l.stderr)
	}
}

func TestFollowingEndsWhenTheRunIsLost(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	l := f.follow("demo-1")
	f.check(f.server.Client().FlushAll(t.Context()).Err())
	if code := <-l.code; code != exitUnreachable || !strings.Contains(l.stderr.String(), "Redis does not have the run any more") {
		t.Errorf("exit code %d: %s", code, l.stderr)
	}
}

func TestFollowingEndsWithTheCodeOfTheSignal(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", undriven)
	l := f.follow("demo-1")
	self, err := os.FindProcess(os.Getpid())
	f.check(err)
	f.check(self.Signal(os.Interrupt))
	if code := <-l.code; code != exitInterrupted {
		t.Errorf("exit code %d: %s", code, l.stderr)
	}
}

func TestAReaderThatStopsEarlyIsNoError(t *testing.T) {
	f := newFixture(t)
	f.failed("demo-1")
	for _, args := range [][]string{{"events", "demo-1"}, {"events", "demo-1", "--follow"}, {"logs", "demo-1"}, {"status", "demo-1"}, {"runs"}, {"graph", "demo-1"}} {
		r, w, err := os.Pipe()
		f.check(err)
		f.check(r.Close())
		p, _, stderr := testProgram(t)
		p.Out = w
		if code := Main(t.Context(), p, append(args, "--redis", f.server.URL())); code != 0 || stderr.Len() > 0 {
			t.Errorf("%s: exit code %d: %s", args, code, stderr)
		}
		f.check(w.Close())
	}
}

func TestAFullDiskIsAnError(t *testing.T) {
	f := newFixture(t)
	f.failed("demo-1")
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		return // this system has no such file
	}
	defer full.Close()
	p, _, stderr := testProgram(t)
	p.Out = full
	if code := Main(t.Context(), p, []string{"events", "demo-1", "--redis", f.server.URL()}); code != exitFailed || !strings.Contains(stderr.String(), "no space left") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestADamagedJournalIsExplained(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	f.decide("demo-1", journal.EndUnexecuted, journal.Record{Type: journal.StageSkipped, Stage: last, Cause: second})
	f.decide("demo-1", journal.EndUnexecuted, journal.Record{Type: journal.StageSkipped, Stage: 1000})
	for _, command := range []string{"events", "status", "logs", "graph"} {
		f.execute(command, "demo-1").expect(t, 1, "the journal is damaged")
	}
	attach := f.execute("attach", "demo-1")
	attach.expect(t, 1, "the journal is damaged")
	if strings.Contains(attach.stdout, "go on with it") {
		t.Errorf("nobody can:\n%s", attach.stdout)
	}
}

// The message says that what comes before the damage can be seen.
func TestEventsBeforeTheDamageAreShown(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	if err := f.server.Client().Do(t.Context(), "XADD", "godags:{demo-1}:journal", "*", "w", "", "r", "\xfe").Err(); err != nil {
		t.Fatal(err)
	}
	f.execute("events", "demo-1").expect(t, 1, "the journal is damaged", "run.submitted")
	f.execute("status", "demo-1").expect(t, 1, "the journal is damaged")
}
