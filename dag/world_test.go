package dag

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestRunAlwaysEnds drives runs with workers that fail and vanish, commands that are carried out
// late, twice or after the run is cancelled, and coordinators that die. There is always something
// to do until the end is recorded.
func TestRunAlwaysEnds(t *testing.T) {
	check(t, func(t *rapid.T) {
		g := drawGraph(t)
		w := drive(t, g, drawRules(t, g))
		if !w.run.Done() || !w.run.Finished() {
			t.Fatalf("the run is done: %v, finished: %v", w.run.Done(), w.run.Finished())
		}
		for s := range w.run.Stages() {
			if w.ends[s] != 1 {
				t.Fatalf("stage %d ended %d times since it was last reopened", s, w.ends[s])
			}
		}
	})
}

// world is a coordinator and its workers, with the part of a journal that keeps them from
// contradicting each other.
type world struct {
	*subject
	todo    []Command
	claimed map[StageID]Attempt
	running map[StageID]bool
	ends    map[StageID]int

	lost, takeovers, repeats, reopens int  // how many more there may be
	mayCancel                         bool // a cancellation may be requested
}

// drive brings a run to its end.
func drive(t *rapid.T, g *Graph, rules Rules) *world {
	w := &world{
		subject: newSubject(t, g, rules), claimed: make(map[StageID]Attempt), running: make(map[StageID]bool), ends: make(map[StageID]int),
		lost: 10, takeovers: 3, repeats: 10, reopens: rapid.IntRange(0, 2).Draw(t, "reopens"), mayCancel: rapid.Bool().Draw(t, "may be cancelled"),
	}
	w.todo = w.run.Pending(nil)
	for !w.run.Finished() || w.reopen() {
		rare := func(what string) bool { return rapid.IntRange(0, 30).Draw(t, what) == 30 }
		switch {
		case w.takeovers > 0 && rare("takeover"):
			w.takeovers--
			w.restart()
			w.todo = w.run.Pending(nil)
		case w.mayCancel && rare("cancel"):
			w.mayCancel = false
			w.happens(Event{Type: RunCancelling})
		case len(w.running) > 0 && (len(w.todo) == 0 || rapid.Bool().Draw(t, "report")):
			w.report()
		case len(w.todo) > 0:
			w.carryOut()
		default:
			t.Fatalf("nothing to do, and the run is not finished: %v", w.run.stages.state)
		}
	}
	return w
}

// happens writes down a fact and applies it.
func (w *world) happens(e Event) {
	w.t.Helper()
	was := make([]bool, w.run.Len())
	for id := range was {
		was[id] = w.run.State(StageID(id)).Terminal()
	}
	if err := w.apply(e); err != nil {
		w.t.Fatalf("a whole journal gave %v", err)
	}
	for id := range was {
		if !was[id] && w.run.State(StageID(id)).Terminal() {
			w.ends[StageID(id)]++
		}
	}
	w.todo = append(w.todo, w.commands...)
}

// reopen reopens a finished run, or does not. Decisions from before are fenced.
func (w *world) reopen() bool {
	if w.reopens == 0 {
		return false
	}
	w.reopens--
	stage := w.drawReopened()
	again, err := w.run.Reopened(stage)
	if err != nil {
		return w.reopen()
	}
	w.todo = nil
	for _, s := range again {
		delete(w.ends, s)
	}
	w.happens(Event{Type: RunReopened, Stage: stage})
	return !w.run.Finished()
}

// carryOut carries out any of the commands, and keeps some for doing it again.
func (w *world) carryOut() {
	i := rapid.IntRange(0, len(w.todo)-1).Draw(w.t, "command")
	c := w.todo[i]
	if w.repeats > 0 && rapid.IntRange(0, 3).Draw(w.t, "again") == 3 {
		w.repeats--
	} else {
		w.todo = slices.Delete(w.todo, i, i+1)
	}
	free := !w.running[c.Stage] && w.ends[c.Stage] == 0
	switch {
	case c.Type == Finish:
		w.happens(Event{Type: RunFinished})
	case (c.Type == Dispatch || c.Type == Retry) && free && c.Attempt > w.claimed[c.Stage] && !w.closed(c.Stage):
		w.claimed[c.Stage], w.running[c.Stage] = c.Attempt, true
		w.happens(Event{Type: StageStarted, Stage: c.Stage, Attempt: c.Attempt})
	case c.Type == Skip && free:
		w.happens(Event{Type: StageSkipped, Stage: c.Stage, Cause: c.Cause})
	case c.Type == Cancel && free:
		w.happens(Event{Type: StageCancelled, Stage: c.Stage})
	}
}

// closed draws whether the journal refuses a claim: most do so once the run is being cancelled, but
// the run must end anyway.
func (w *world) closed(s StageID) bool {
	return w.run.Cancelling() && w.run.rule(s).Trigger != AllDone && rapid.IntRange(0, 2).Draw(w.t, "refused") > 0
}

// report ends the attempt of any stage that runs.
func (w *world) report() {
	s := rapid.SampledFrom(slices.Sorted(maps.Keys(w.running))).Draw(w.t, "reporter")
	report := rapid.SampledFrom([]EventType{StageSucceeded, StageSucceeded, StageFailed, StageLost, StageSkipped, StageCancelled}).Draw(w.t, "report")
	switch {
	case report == StageLost && w.lost == 0, report == StageCancelled && !w.run.Cancelling():
		report = StageSucceeded
	case report == StageLost:
		w.lost--
	}
	delete(w.running, s)
	e := Event{Type: report, Stage: s, Cause: s, Count: rapid.Uint32Range(0, 3).Draw(w.t, "count"), Fatal: rapid.Bool().Draw(w.t, "fatal")}
	if report != StageCancelled || rapid.Bool().Draw(w.t, "by the worker") {
		e.Attempt = w.claimed[s]
	}
	w.happens(e)
}

// TestRunDamagedJournal takes the journal of a run that went well, drops, repeats and moves
// entries, and feeds what is left.
func TestRunDamagedJournal(t *testing.T) {
	check(t, func(t *rapid.T) {
		g := drawGraph(t)
		rules := drawRules(t, g)
		journal := drive(t, g, rules).events
		for range rapid.IntRange(1, 10).Draw(t, "damages") {
			if len(journal) == 0 {
				break
			}
			at := rapid.IntRange(0, len(journal)-1)
			from, to := at.Draw(t, "from"), at.Draw(t, "to")
			switch rapid.SampledFrom([]string{"drop", "repeat", "swap", "older"}).Draw(t, "damage") {
			case "drop":
				journal = slices.Delete(journal, from, from+1)
			case "repeat":
				journal = slices.Insert(journal, to, journal[from])
			case "swap":
				journal[from], journal[to] = journal[to], journal[from]
			case "older":
				journal[from].Attempt--
			}
		}
		s := newSubject(t, g, rules)
		for _, e := range journal {
			_ = s.apply(e) // compared with the twin already
		}
		s.restart()
	})
}
