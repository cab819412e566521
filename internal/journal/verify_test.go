package journal_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
)

func (w *world) stream(t *rapid.T) []journal.Entry {
	entries, err := readAll(w.ctx, w.j, w.run)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// compare checks that the stream says what the twin knows.
func (w *world) compare(t *rapid.T) {
	got, want := []string{}, []string{"run.submitted"}
	for _, e := range w.stream(t) {
		for _, r := range e.Records {
			got = append(got, tell(e.Worker, r))
		}
	}
	for _, f := range w.twin.facts {
		want = append(want, tell(f.worker, f.Record))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the stream says\n%q\nand should say\n%q", got, want)
	}
}

// verify checks the promises of a journal whose run has ended.
func verify(t *rapid.T, g *dag.Graph, stream []journal.Entry) {
	state := dag.NewRun(g, dag.Rules{})
	started, outcomes, ends := make(map[journal.AttemptID]bool), make(map[journal.AttemptID]bool), make(map[dag.StageID]journal.Type)
	for _, e := range stream {
		for _, r := range e.Records {
			event, ok := r.Event()
			if !ok {
				continue
			}
			a := at(r.Stage, r.Attempt)
			switch {
			case !aboutStage(r.Type):
			case r.Type == journal.StageStarted:
				if started[a] || outcomes[a] {
					t.Fatalf("%v was started twice, or after its outcome", a)
				}
				started[a] = true
			default:
				if outcomes[a] || r.Attempt > 0 && !started[a] {
					t.Fatalf("%v has two outcomes, or was not started", a)
				}
				outcomes[a] = true
				if ends[r.Stage] != 0 {
					t.Fatalf("stage %d ended twice: %s, %s", r.Stage, ends[r.Stage], r.Type)
				}
				if r.Type != journal.StageLost {
					ends[r.Stage] = r.Type
				}
			}
			if _, err := state.Apply(event, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !state.Done() || !state.Finished() || len(ends) != g.Len() {
		t.Fatalf("the run is %s, finished %v, with %d of %d stages ended", state.Outcome(), state.Finished(), len(ends), g.Len())
	}
}
