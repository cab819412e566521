package cli

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runs"
)

func TestLogs(t *testing.T) {
	f := newFixture(t)
	f.failed("demo-1")
	printed := "\x1b[31mreading\x1b[0m\n10%\r50%\rcannot open\n"
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"demo-1"}, "first | hello\nfirst | world\nsecond | " + strings.TrimSuffix(strings.ReplaceAll(printed, "\n", "\nsecond | "), "second | ")},
		{[]string{"demo-1", "first"}, "hello\nworld\n"},
		{[]string{"demo-1", "second"}, printed}, // raw: this is no terminal
		{[]string{"demo-1", "second", "--attempt", "1"}, printed},
	} {
		if o := f.execute(append([]string{"logs"}, test.args...)...); o.code != 0 || o.stdout != test.want || o.stderr != "" {
			t.Errorf("%q: exit code %d, got\n%q\nwant\n%q\n%s", test.args, o.code, o.stdout, test.want, o.stderr)
		}
	}
	f.execute("logs", "demo-1", "third").expect(t, 0, "stage third printed nothing")
	f.execute("logs", "demo-1", "last").expect(t, 0, "stage last was not executed: it is skipped")
	f.execute("logs", "demo-1", "secnd").expect(t, 2, `no stage "secnd"`, `did you mean "second"?`)
	f.execute("logs", "demo-1", "nothing like it").expect(t, 2, "`prog status demo-1 --stages --redis "+f.server.URL()+"` lists them")
	f.execute("logs", "demo-1", strings.Repeat("x", 1<<20)).expect(t, 2, "no stage")
	f.execute("logs", "demo-1", "second", "--attempt", "2").expect(t, 2, `stage "second" has no attempt 2: its last is 1`)
	f.execute("logs", "demo-1", "second", "--attempt", "-1").expect(t, 2, "attempt")
}

func TestTheLogOfARunNamesTheStageEvenIfOnlyOnePrinted(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	f.succeed("demo-1", first, "hello\nwithout end", "without end")
	if o := f.execute("logs", "demo-1"); o.stdout != "first | hello\nfirst | without end\n" {
		t.Errorf("got %q", o.stdout)
	}
}

func TestLogsAreOfTheLastAttemptThatWasBegun(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	f.execution("demo-1", journal.Record{Type: journal.StageLost, Stage: first, Attempt: 1, Text: "worker is gone"}, "first try\n")
	if o := f.execute("logs", "demo-1", "first"); o.stdout != "first try\n" {
		t.Errorf("while the second attempt is due: %q", o.stdout)
	}
	token := f.start("demo-1", first, 2)
	f.execute("logs", "demo-1", "first").expect(t, 0, "attempt 2 of stage first has printed nothing; attempt 1 printed 1 line: `prog logs demo-1 first --attempt 1 ")
	f.saveLog("demo-1", token, journal.AttemptID{Stage: first, Attempt: 2}, "second try\n")
	for want, args := range map[string][]string{
		"second try\n": {"logs", "demo-1", "first"},
		"first try\n":  {"logs", "demo-1", "first", "--attempt=1"},
		// it still runs: nobody has reported a last line
		"first | second try\n": {"logs", "demo-1"},
	} {
		if o := f.execute(args...); o.stdout != want {
			t.Errorf("%q: got %q", args, o.stdout)
		}
	}
}

// Nobody has reported a last line of it.
func TestTheLogsOfARunHaveWhatAStagePrintedThatWasEndedByForce(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	token := f.start("demo-1", first, 1)
	f.saveLog("demo-1", token, journal.AttemptID{Stage: first, Attempt: 1}, "so far\n")
	f.decide("demo-1", journal.EndForced, journal.Record{Type: journal.StageCancelled, Stage: first, Attempt: 1, Text: "it was not waited for"})
	f.execute("logs", "demo-1").expect(t, 0, "so far\n")
}

func TestLogsAreHarmlessToATerminal(t *testing.T) {
	f := newFixture(t)
	f.submit("demo-1", driven)
	f.succeed("demo-1", first, "\x1b]0;title\x07\x1b[2Jred\x00\tcell\r\n 10%\r100%\r\nend", "end")
	run := f.load("demo-1")
	var out bytes.Buffer
	session, err := engine.Open(t.Context(), engine.Config{Redis: f.server.URL()})
	f.check(err)
	defer session.Close()
	l := logPrinter{run: run, service: runs.New(session), out: bufio.NewWriter(&out), harmless: true}
	f.check(l.printSome(t.Context(), runs.Printed(run)))
	f.check(l.out.Flush())
	if want := "first | red\\x00\tcell\nfirst | 100%\nfirst | end\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestTail(t *testing.T) {
	for log, want := range map[string]string{
		"":            "",
		"\n\n":        "",
		"a":           "a",
		"a\nb\nc\n\n": "b,c",
		"a\n\nb":      ",b",
	} {
		if got := strings.Join(tail([]byte(log), 2), ","); got != want {
			t.Errorf("of %q: %q, want %q", log, got, want)
		}
	}
}
