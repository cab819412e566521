package journal_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/redistest"
	"github.com/godags/godags/internal/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a journal with one run, "r", which "ann" has submitted and owns.
type fixture struct {
	*journal.Journal
	t     *testing.T
	rdb   *redis.Client // sees what the journal stored, and can damage it
	epoch int64
}

// specText is what runs are submitted with.
const specText = "the spec\x00\xff"

var digest = spec.Digest([]byte(specText))

const (
	run   = journal.RunID("r")
	lease = time.Hour
)

var (
	tokenA = journal.Token{1, 0, 255, '\n', 'a'}
	tokenB = journal.Token{1, 0, 255, '\n', 'b'}
)

// journals runs a test on both kinds of Redis, and on both again with every script sent twice:
// go-redis does that when a reply is lost, and it must not make a difference.
func journals(t *testing.T, test func(f *fixture)) {
	t.Helper()
	t.Run("sent once", func(t *testing.T) {
		redistest.Both(t, func(t *testing.T, rdb *redis.Client) { test(newFixture(t, rdb)) })
	})
	t.Run("sent twice", func(t *testing.T) {
		redistest.Both(t, func(t *testing.T, rdb *redis.Client) {
			rdb.AddHook(redistest.Resend{})
			test(newFixture(t, rdb))
		})
	})
}

func newFixture(t *testing.T, rdb *redis.Client) *fixture {
	t.Helper()
	f := &fixture{Journal: journal.New(rdb), t: t, rdb: rdb}
	epoch, err := f.Submit(t.Context(), submission())
	if err != nil {
		t.Fatal(err)
	}
	f.epoch = epoch
	return f
}

func submission() journal.Submission {
	return journal.Submission{Run: run, Pipeline: "wine", Stages: 10, Digest: digest, Spec: []byte(specText), Coordinator: "ann", Lease: lease}
}

func at(stage dag.StageID, attempt dag.Attempt) journal.AttemptID {
	return journal.AttemptID{Stage: stage, Attempt: attempt}
}

// ended is an outcome without output and log.
func ended(how journal.Type, stage dag.StageID, attempt dag.Attempt) journal.Outcome {
	return journal.Outcome{Record: journal.Record{Type: how, Stage: stage, Attempt: attempt}}
}

// decision is a decision about a stage; the attempt means nothing to EndUnexecuted.
func decision(kind journal.DecisionKind, how journal.Type, stage dag.StageID, attempt dag.Attempt) journal.Decision {
	return journal.Decision{Kind: kind, Record: journal.Record{Type: how, Stage: stage, Attempt: attempt}}
}

// claim has a worker claim attempts, and checks which are granted.
func (f *fixture) claim(worker string, token journal.Token, attempts []journal.AttemptID, want ...bool) {
	f.t.Helper()
	got, err := f.Claim(f.t.Context(), journal.Claim{Run: run, Digest: digest, Worker: worker, Token: token}, attempts)
	if err != nil || !slices.Equal(got, want) {
		f.t.Errorf("%s claims %v: granted %v, %v; want %v", worker, attempts, got, err, want)
	}
}

// report has a worker report an outcome, and checks whether it is accepted.
func (f *fixture) report(worker string, token journal.Token, o journal.Outcome, want bool) {
	f.t.Helper()
	got, err := f.Report(f.t.Context(), journal.Claim{Run: run, Worker: worker, Token: token}, []journal.Outcome{o})
	if err != nil || !slices.Equal(got, []bool{want}) {
		f.t.Errorf("%s reports %v: accepted %v, %v; want %v", worker, o.Record, got, err, want)
	}
}

// check checks the orders for attempts.
func (f *fixture) check(token journal.Token, attempts []journal.AttemptID, want ...journal.Control) {
	f.t.Helper()
	got, err := f.Check(f.t.Context(), run, token, attempts)
	if err != nil || !slices.Equal(got, want) {
		f.t.Errorf("orders for %v: %v, %v; want %v", attempts, got, err, want)
	}
}

func (f *fixture) decide(decisions ...journal.Decision) {
	f.t.Helper()
	if err := f.Decide(f.t.Context(), run, f.epoch, decisions); err != nil {
		f.t.Errorf("decide %v: %v", decisions, err)
	}
}

// cancel asks for the end of the run, and checks whether it was still going on.
func (f *fixture) cancel(want bool) {
	f.t.Helper()
	if going, err := f.RequestCancel(f.t.Context(), run, "enough"); going != want || err != nil {
		f.t.Errorf("cancel: the run goes on: %v, %v; want %v", going, err, want)
	}
}

// finish records the end of the run as its coordinator.
func (f *fixture) finish() {
	f.t.Helper()
	if err := f.Finish(f.t.Context(), run, f.epoch, graph(f.t, 0)); err != nil {
		f.t.Errorf("finish: %v", err)
	}
}

// story checks what the stream says after the submission: a line a record.
func (f *fixture) story(want ...string) {
	f.t.Helper()
	var got []string
	for _, e := range f.entries() {
		for _, r := range e.Records {
			got = append(got, tell(e.Worker, r))
		}
	}
	if len(got) == 0 || got[0] != "run.submitted" {
		f.t.Fatalf("the stream begins with %q", got)
	}
	if !slices.Equal(got[1:], want) {
		f.t.Errorf("the stream says\n\t%s\nand should say\n\t%s", strings.Join(got[1:], "\n\t"), strings.Join(want, "\n\t"))
	}
}

// tell writes a record as "worker: type stage#attempt".
func tell(worker string, r journal.Record) string {
	text := r.Type.String()
	if worker != "" {
		text = worker + ": " + text
	}
	switch r.Type {
	case journal.RunSubmitted, journal.RunFinished:
		return text
	case journal.RunCancelling:
		return text + " " + r.Text
	case journal.StageSkipped:
		return fmt.Sprintf("%s %d because of %d", text, r.Stage, r.Cause)
	}
	return fmt.Sprintf("%s %d#%d", text, r.Stage, r.Attempt)
}

func (f *fixture) entries() []journal.Entry {
	f.t.Helper()
	entries, err := readAll(f.t.Context(), f.Journal, run)
	if err != nil {
		f.t.Fatal(err)
	}
	return entries
}

func readAll(ctx context.Context, j *journal.Journal, run journal.RunID) (all []journal.Entry, err error) {
	for position := journal.Start; ; position = all[len(all)-1].ID {
		entries, err := j.Read(ctx, run, position, 0)
		if err != nil || len(entries) == 0 {
			return all, err
		}
		all = append(all, entries...)
	}
}

// graph returns a run of n stages without dependencies.
func graph(t testing.TB, n int) *dag.Run {
	t.Helper()
	var b dag.Builder
	for i := range n {
		b.Add(fmt.Sprint("s", i))
	}
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return dag.NewRun(g, dag.Rules{})
}
