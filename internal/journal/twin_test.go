package journal_test

import (
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
)

// twin is the journal of one run in the simplest form: a list of facts. It answers every question
// by going through all of them.
type twin struct {
	epoch                int64
	owner                string
	cancelling, finished bool
	facts                []fact
}

type fact struct {
	journal.Record
	worker string        // empty for the coordinator
	token  journal.Token // of the claim with which a worker said it
	forced bool          // the coordinator has ended the stage
}

func (w *twin) say(f fact) { w.facts = append(w.facts, f) }

// newest returns the newest start of a stage (attempt 0 if there is none), and whether that attempt
// goes on.
func (w *twin) newest(s dag.StageID) (started fact, open bool) {
	for _, f := range w.facts {
		switch {
		case f.Stage != s || !aboutStage(f.Type):
		case f.Type == journal.StageStarted:
			started, open = f, true
		default:
			open = false
		}
	}
	return started, open
}

// last returns the last fact about a stage.
func (w *twin) last(s dag.StageID) (last fact) {
	for _, f := range w.facts {
		if f.Stage == s && aboutStage(f.Type) {
			last = f
		}
	}
	return last
}

func aboutStage(t journal.Type) bool {
	return t != journal.RunSubmitted && t != journal.RunCancelling && t != journal.RunFinished
}

// closed reports whether no further attempt of the stage may be claimed.
func (w *twin) closed(s dag.StageID) bool {
	for _, f := range w.facts {
		if f.Stage != s {
			continue
		}
		if f.forced || f.Type == journal.StageSucceeded || f.Type == journal.StageSkipped || f.Type == journal.StageCancelled {
			return true
		}
	}
	return false
}

// step makes moves one after the other. A linked claim is refused unless the move before it has
// ended its stage.
func (w *twin) step(worker string, token journal.Token, moves []journal.Op) (accepted []bool) {
	for i, m := range moves {
		switch {
		case m.Record.Type != journal.StageStarted:
			accepted = append(accepted, w.report(worker, token, m.Record))
		case !m.Linked:
			accepted = append(accepted, w.claim(worker, token, m.Of()))
		default:
			before := moves[i-1].Record.Type
			follows := accepted[i-1] && (before == journal.StageSucceeded || before == journal.StageCancelled)
			accepted = append(accepted, follows && (w.claimed(token, m.Of()) || w.claim(worker, token, m.Of())))
		}
	}
	return accepted
}

// claimed reports whether the attempt was claimed with the token and nobody else has said anything
// about the stage since.
func (w *twin) claimed(token journal.Token, a journal.AttemptID) bool {
	started, _ := w.newest(a.Stage)
	return started.Attempt == a.Attempt && started.token == token && w.last(a.Stage).token == token
}

func (w *twin) claim(worker string, token journal.Token, a journal.AttemptID) bool {
	started, open := w.newest(a.Stage)
	if open && started.Attempt == a.Attempt && started.token == token {
		return true // sent again
	}
	if w.cancelling || w.finished || w.closed(a.Stage) || a.Attempt <= started.Attempt {
		return false
	}
	w.say(fact{Record: journal.Record{Type: journal.StageStarted, Stage: a.Stage, Attempt: a.Attempt}, worker: worker, token: token})
	return true
}

func (w *twin) report(worker string, token journal.Token, r journal.Record) bool {
	started, open := w.newest(r.Stage)
	if open && started.Attempt == r.Attempt && started.token == token {
		w.say(fact{Record: r, worker: worker, token: token})
		return true
	}
	last := w.last(r.Stage)
	return last.Record == r && last.token == token // sent again, before anything followed from it
}

func (w *twin) check(token journal.Token, a journal.AttemptID) journal.Control {
	started, open := w.newest(a.Stage)
	switch {
	case !open || started.Attempt != a.Attempt || started.token != token:
		return journal.Revoked
	case w.cancelling || w.finished:
		return journal.Stop
	}
	return journal.Continue
}

func (w *twin) decide(d journal.Decision) {
	started, open := w.newest(d.Record.Stage)
	does := open && started.Attempt == d.Record.Attempt
	if d.Kind == journal.EndUnexecuted {
		does = !open && !w.closed(d.Record.Stage)
	}
	if does {
		w.say(fact{Record: d.Record, forced: d.Kind != journal.Revoke})
	}
}

// cancel reports whether the run was still going on.
func (w *twin) cancel() bool {
	if !w.cancelling && !w.finished {
		w.cancelling = true
		w.say(fact{Record: journal.Record{Type: journal.RunCancelling, Text: "enough"}})
	}
	return !w.finished
}

func (w *twin) finish() {
	if !w.finished {
		w.finished = true
		w.say(fact{Record: journal.Record{Type: journal.RunFinished}})
	}
}

// acquire returns the new epoch. Leases are 0 in the model: anybody may take over at any time.
func (w *twin) acquire(coordinator string) int64 {
	if w.owner != coordinator {
		w.owner = coordinator
		w.epoch++
	}
	return w.epoch
}
