package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/logtext"
	"github.com/godags/godags/internal/redistest"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/spec"
)

// TestMain takes away what a person has set for the commands: tests say themselves what they need
// of it.
func TestMain(m *testing.M) {
	for _, name := range []string{"REDIS_URL", "GODAGS_HOME", "GODAGS_KEY", "GODAGS_PROGRESS", "GODAGS_QUEUE", "GODAGS_CONCURRENCY", "GODAGS_OUTPUT_FORMAT", "NO_COLOR", "CLICOLOR_FORCE"} {
		os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

// testProgram is a program with two pipelines whose stages do nothing.
func testProgram(t *testing.T) (p Program, stdout, stderr *bytes.Buffer) {
	t.Helper()
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	p = Program{Name: "prog", Call: "prog", Out: stdout, Err: stderr}
	for _, name := range []string{"simple", "wine"} {
		b := spec.Builder{Name: name}
		b.Add("first", nil, spec.Kind{})
		b.Add("second", []string{"first"}, spec.Kind{})
		p.Pipelines = append(p.Pipelines, engine.Pipeline{Spec: build(t, &b)})
	}
	return p, stdout, stderr
}

func build(t *testing.T, b *spec.Builder) *spec.Spec {
	t.Helper()
	sp, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// outcome is what a command left behind.
type outcome struct {
	code           int
	stdout, stderr string
}

func execute(t *testing.T, args ...string) outcome {
	t.Helper()
	p, stdout, stderr := testProgram(t)
	code := Main(t.Context(), p, args)
	return outcome{code, stdout.String(), stderr.String()}
}

// expect fails the test unless the command ended with the code and its output has the words.
func (o outcome) expect(t *testing.T, code int, words ...string) {
	t.Helper()
	all := o.stdout + o.stderr
	if o.code != code {
		t.Errorf("exit code %d, want %d; output:\n%s", o.code, code, all)
	}
	for _, w := range words {
		if !strings.Contains(all, w) {
			t.Errorf("output lacks %q:\n%s", w, all)
		}
	}
	if strings.Contains(o.stderr, "goroutine ") || strings.Count(o.stderr, "\n") > 60 {
		t.Errorf("that is not a message on one screen:\n%.2000s", o.stderr)
	}
}

// fixture is a Redis with runs that tests write by hand.
type fixture struct {
	*testing.T
	server  *redistest.Server
	journal *journal.Journal
	fleet   *fleet.Fleet
}

func newFixture(t *testing.T, redisArgs ...string) fixture {
	t.Helper()
	server := redistest.Start(t, redisArgs...)
	t.Setenv("GODAGS_KEY", "the key of these tests")
	return fixture{t, server, journal.New(server.Client()), fleet.New(server.Client())}
}

// execute runs a command on the Redis of the fixture.
func (f fixture) execute(args ...string) outcome {
	f.Helper()
	return execute(f.T, append(args, "--redis", f.server.URL())...)
}

// The stages of a fixture's runs. Second and third come after first, and last after second; third
// goes to the queue gpu.
const (
	first dag.StageID = iota
	second
	third
	last
)

const driven, undriven = time.Hour, -time.Second // leases

func (f fixture) submit(id journal.RunID, lease time.Duration) {
	f.Helper()
	b := spec.Builder{Name: "demo"}
	b.Add("first", nil, spec.Kind{Task: "noop"})
	b.Add("second", []string{"first"}, spec.Kind{Task: "noop"})
	b.Add("third", []string{"first"}, spec.Kind{Task: "noop", Queue: "gpu"})
	b.Add("last", []string{"second"}, spec.Kind{Task: "noop"})
	sp := build(f.T, &b)
	encoded, err := sp.Encode()
	f.check(err)
	_, err = f.journal.Submit(f.Context(), journal.Submission{Run: id, Pipeline: sp.Name, Stages: sp.Graph.Len(),
		Digest: spec.Digest(encoded), Spec: encoded, Coordinator: "tester", Lease: lease})
	f.check(err)
}

// start lets a worker claim an attempt, and returns its token.
func (f fixture) start(id journal.RunID, s dag.StageID, n dag.Attempt) journal.Token {
	f.Helper()
	_, digest, err := f.journal.Spec(f.Context(), id)
	f.check(err)
	token := journal.NewToken()
	granted, err := f.journal.Claim(f.Context(), journal.Claim{Run: id, Digest: digest, Worker: "hand", Token: token}, []journal.AttemptID{{Stage: s, Attempt: n}})
	f.check(err)
	if !granted[0] {
		f.Fatalf("attempt %d of stage %d was not granted", n, s)
	}
	return token
}

// execution starts an attempt and reports its end.
func (f fixture) execution(id journal.RunID, r journal.Record, log string) {
	f.Helper()
	token := f.start(id, r.Stage, r.Attempt)
	accepted, err := f.journal.Report(f.Context(), journal.Claim{Run: id, Worker: "hand", Token: token}, []journal.Outcome{{Record: r, Log: logtext.Text{Head: []byte(log)}}})
	f.check(err)
	if !accepted[0] {
		f.Fatal("the report was not accepted")
	}
}

func (f fixture) succeed(id journal.RunID, s dag.StageID, log, note string) {
	f.Helper()
	f.execution(id, journal.Record{Type: journal.StageSucceeded, Stage: s, Attempt: 1, Duration: 1500 * time.Millisecond, Note: note}, log)
}

// decide records what a coordinator decides.
func (f fixture) decide(id journal.RunID, kind journal.DecisionKind, r journal.Record) {
	f.Helper()
	f.check(f.journal.Decide(f.Context(), id, 1, []journal.Decision{{Kind: kind, Record: r}}))
}

// load reads a run.
func (f fixture) load(id journal.RunID) *runstate.Run {
	f.Helper()
	encoded, _, err := f.journal.Spec(f.Context(), id)
	f.check(err)
	sp, err := spec.Decode(encoded)
	f.check(err)
	run, err := runstate.Load(f.Context(), f.journal, id, sp)
	f.check(err)
	return run
}

// finish ends a run whose stages are all terminal.
func (f fixture) finish(id journal.RunID) {
	f.Helper()
	run := f.load(id)
	f.check(f.journal.Finish(f.Context(), id, 1, run.DAG))
}

// failed makes a run that has failed: first and third succeeded, second failed, last was skipped.
func (f fixture) failed(id journal.RunID) {
	f.Helper()
	f.submit(id, driven)
	f.succeed(id, first, "hello\nworld\n", "world")
	f.succeed(id, third, "", "")
	f.execution(id, journal.Record{Type: journal.StageFailed, Stage: second, Attempt: 1, Text: "exit status 3", Note: "cannot open"},
		"\x1b[31mreading\x1b[0m\n10%\r50%\rcannot open\n")
	f.decide(id, journal.EndUnexecuted, journal.Record{Type: journal.StageSkipped, Stage: last, Cause: second})
	f.finish(id)
}

func (f fixture) beat(w fleet.Worker) {
	f.Helper()
	f.check(f.fleet.Heartbeat(f.Context(), w))
}

func (f fixture) check(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// saveLog saves the start of the log of an attempt that is running.
func (f *fixture) saveLog(id journal.RunID, token journal.Token, a journal.AttemptID, text string) {
	f.Helper()
	holds, err := f.journal.SaveLog(f.Context(), id, token, a, logtext.Text{Head: []byte(text)})
	if f.check(err); !holds {
		f.Fatalf("the claim of %v does not hold", a)
	}
}
