package progress

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/spec"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// golden compares what was shown with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is not what was shown (go test -update writes it anew)\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// env is an environment of "NAME=value" pairs.
func env(pairs map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := pairs[name]
		return v, ok
	}
}

// build makes a pipeline of stages, each given as its name and those that it comes after.
func build(t testing.TB, stages ...[]string) *spec.Spec {
	t.Helper()
	b := spec.Builder{Name: "demo"}
	for _, s := range stages {
		b.Add(s[0], s[1:], spec.Kind{})
	}
	sp, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// wide makes a pipeline of n stages s0, s1, ... that do not depend on each other.
func wideSpec(t testing.TB, n int) *spec.Spec {
	var stages [][]string
	for i := range n {
		stages = append(stages, []string{fmt.Sprintf("s%d", i)})
	}
	return build(t, stages...)
}

// story feeds a run and those who watch it with entries.
type story struct {
	t       testing.TB
	run     *runstate.Run
	observe func(*runstate.Run, journal.Entry)
	now     func() time.Time
	entries int
}

func newStory(t testing.TB, sp *spec.Spec, observe func(*runstate.Run, journal.Entry)) *story {
	return &story{t: t, run: runstate.New("demo-1", sp), observe: observe, now: time.Now}
}

func (s *story) entry(worker string, records ...journal.Record) {
	s.t.Helper()
	s.entries++
	e := journal.Entry{ID: journal.Position(fmt.Sprintf("%d-0", s.entries)), Time: s.now(), Worker: worker, Records: records}
	if err := s.run.Apply(e); err != nil {
		s.t.Fatal(err)
	}
	s.observe(s.run, e)
}

func (s *story) id(name string) dag.StageID {
	s.t.Helper()
	id, ok := s.run.Spec.Graph.Lookup(name)
	if !ok {
		s.t.Fatalf("there is no stage %q", name)
	}
	return id
}

func (s *story) submit() {
	s.t.Helper()
	s.entry("", journal.Record{Type: journal.RunSubmitted, Text: text(s.t, journal.Submitted{
		Pipeline: s.run.Spec.Name, Stages: s.run.Spec.Graph.Len(), Digest: "d1ge57"})})
}

// start has a worker claim the attempt that is due of each stage.
func (s *story) start(worker string, names ...string) {
	s.t.Helper()
	var records []journal.Record
	for _, name := range names {
		id := s.id(name)
		records = append(records, journal.Record{Type: journal.StageStarted, Stage: id, Attempt: s.run.DAG.Attempt(id)})
	}
	s.entry(worker, records...)
}

// end has the attempt of a stage end.
func (s *story) end(worker string, kind journal.Type, name string, took time.Duration, r journal.Record) {
	s.t.Helper()
	r.Type, r.Stage, r.Duration = kind, s.id(name), took
	r.Attempt = s.run.DAG.Attempt(r.Stage)
	s.entry(worker, r)
}

func (s *story) succeed(worker, name string, took time.Duration, note string) {
	s.t.Helper()
	s.end(worker, journal.StageSucceeded, name, took, journal.Record{Note: note})
}

func (s *story) finish() {
	s.t.Helper()
	counts := make(map[string]int)
	for _, state := range []dag.State{dag.Succeeded, dag.Failed, dag.Skipped, dag.Cancelled} {
		counts[state.String()] = s.run.DAG.Count(state)
	}
	s.entry("", journal.Record{Type: journal.RunFinished, Text: text(s.t, journal.Finished{State: s.run.DAG.Outcome().String(), Counts: counts})})
}

func text(t testing.TB, v any) string {
	t.Helper()
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}
