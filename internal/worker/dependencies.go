package worker

import (
	"errors"
	"fmt"
	"slices"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// What a stage is given of its dependencies is in Redis, where others may write. An output is
// signed. That a dependency has none is signed as well where a dependent may go by it, so that an
// output that was deleted is not taken for one that never was. Which attempt of a dependency
// succeeded, if any, is in the signed task.

// noticesAbsence reports whether stages of a kind are executed, and in another way, where a
// dependency has no output. All others fail.
func noticesAbsence(k *spec.Kind) bool {
	return k.Task == "command" || k.When != "" || k.Gather || k.Trigger != dag.AllSuccess
}

// signsAbsence reports whether a stage of the graph records that it has no output.
func (l *loaded) signsAbsence(s dag.StageID) bool {
	return slices.ContainsFunc(l.spec.Graph.Dependents(s), func(d dag.StageID) bool { return l.notices[l.spec.KindOf(d)] })
}

// producer returns the stage as the one that has recorded an output.
func (b *bundle) producer(s dag.StageID) values.Producer {
	return values.Producer{Stage: s, Of: b.graphStage(s), Index: b.items[s].Index}
}

// recordOf returns what is recorded for the output of the attempt; nil for nothing.
func (e *execution) recordOf(recorded []byte) []byte {
	b := e.bundle
	if recorded == nil {
		if e.graphStage() == e.Stage && !b.loaded.signsAbsence(e.Stage) {
			return nil
		}
		recorded = values.None()
	}
	return values.Sign(b.worker.Key, b.origin, b.producer(e.Stage), e.Attempt, recorded)
}

// source is a stage whose output is asked for.
type source struct {
	values.Producer
	attempt dag.Attempt // that succeeded; 0: none did
	known   bool        // which attempt succeeded, and so whether there must be a record
}

// source returns what the attempt knows of a stage of the graph: of a dependency, which attempt
// succeeded.
func (e *execution) source(s dag.StageID) (source, error) {
	from := source{Producer: values.Producer{Stage: s, Of: s}}
	if e.before != nil && e.before.Record.Stage == s {
		from.attempt = e.before.Record.Attempt
		from.known = true
		return from, nil
	}

	deps := e.bundle.loaded.spec.Graph.Deps(e.graphStage())
	i := slices.Index(deps, s)
	if i < 0 || e.gathers() && !e.kind().Gather {
		return from, nil // the task says nothing of it
	}

	attempts, err := e.attempts(len(deps))
	if err != nil {
		return from, err
	}

	from.attempt = 1
	from.known = true
	if attempts != nil {
		from.attempt = attempts[i]
	}
	return from, nil
}

// attempts returns which attempts of the n stages succeeded whose outputs the attempt may be given;
// nil if all are the first.
func (e *execution) attempts(n int) ([]dag.Attempt, error) {
	if e.succeeded == nil {
		var err error
		if e.succeeded, err = e.bundle.items[e.Stage].Deps.Attempts(n); err != nil {
			return nil, err
		}
	}
	return e.succeeded, nil
}

// check returns what is recorded as the output of a stage; an error that is [tasks.ErrNoOutput] if
// it has none.
func (e *execution) check(from source, signed []byte) ([]byte, error) {
	b := e.bundle
	if from.known && from.attempt == 0 {
		return nil, tasks.ErrNoOutput
	}

	if signed == nil {
		if from.known && (from.Of != from.Stage || b.loaded.signsAbsence(from.Stage)) {
			return nil, fmt.Errorf("%w (it was deleted)", values.Forged(b.origin.Run))
		}
		return nil, tasks.ErrNoOutput
	}

	recorded, attempt, err := values.Verify(b.worker.Key, b.origin, from.Producer, signed)
	switch {
	case err != nil:
		return nil, err
	case from.known && attempt != from.attempt:
		return nil, fmt.Errorf("%w (it is of attempt %d, and attempt %d succeeded)", values.Forged(b.origin.Run), attempt, from.attempt)
	case values.IsNone(recorded):
		return nil, tasks.ErrNoOutput
	}

	return recorded, nil
}

var errCount = errors.New("the number of its instances is not the number of elements of the list: the journal was changed in Redis")
