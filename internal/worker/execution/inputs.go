package execution

import (
	"context"
	"fmt"
	"slices"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/values"
	"github.com/godags/godags/tasks"
)

// inputs reads the outputs of other stages for one attempt.
//
// Outputs are in Redis, where others may write, so they are signed. Where a dependent is executed
// in another way if there is no output, its absence is signed as well: an output that was deleted
// is not taken for one that never was. The signed task says which attempt of each dependency
// succeeded, if any.
type inputs struct{ *Attempt }

// source is a stage whose output is read.
type source struct {
	values.Producer
	attempt dag.Attempt // that succeeded; 0: none did
	known   bool        // the task says which attempt succeeded, so there must be a record
}

// source returns what the attempt knows of a stage of the graph. Only for a dependency it knows
// which attempt succeeded.
func (in inputs) source(s dag.StageID) (source, error) {
	from := source{Producer: values.Producer{Stage: s, Of: s}}
	if in.before != nil && in.before.Record.Stage == s {
		// Of a chain the task says nothing: it was made before that attempt was executed.
		from.attempt = in.before.Record.Attempt
		from.known = true
		return from, nil
	}

	deps := in.batch.pipeline.spec.Graph.Deps(in.graphStage())
	i := slices.Index(deps, s)
	if i < 0 || in.gathers() && !in.kind().Gather {
		return from, nil // the task says nothing of it
	}

	attempts, err := in.attempts(len(deps))
	if err != nil {
		return from, err
	}

	from.attempt = attemptOf(attempts, i)
	from.known = true
	return from, nil
}

// attempts returns which attempts of the n dependencies succeeded; nil if all are the first.
func (in inputs) attempts(n int) ([]dag.Attempt, error) {
	if in.succeeded == nil {
		var err error
		if in.succeeded, err = in.batch.items[in.Stage].Deps.Attempts(n); err != nil {
			return nil, err
		}
	}
	return in.succeeded, nil
}

// attemptOf returns an element of a list of attempts that is nil if all are the first.
func attemptOf(attempts []dag.Attempt, i int) dag.Attempt {
	if attempts == nil {
		return 1
	}
	return attempts[i]
}

// verify returns what is recorded as the output of a stage, without its signature. The error is
// [tasks.ErrNoOutput] if it has none.
func (in inputs) verify(from source, signed []byte) ([]byte, error) {
	b := in.batch

	// Whatever Redis has then, it is not from an attempt that counts.
	if from.known && from.attempt == 0 {
		return nil, tasks.ErrNoOutput
	}

	if signed == nil {
		if from.known && (from.Of != from.Stage || b.pipeline.signsAbsence(from.Stage)) {
			return nil, fmt.Errorf("%w (it was deleted)", values.Forged(b.origin.Run))
		}
		return nil, tasks.ErrNoOutput
	}

	recorded, attempt, err := values.Verify(b.Key, b.origin, from.Producer, signed)
	switch {
	case err != nil:
		return nil, err
	case from.known && attempt != from.attempt:
		// An output of an attempt that was replaced has a good signature, too.
		return nil, fmt.Errorf("%w (it is of attempt %d, and attempt %d succeeded)",
			values.Forged(b.origin.Run), attempt, from.attempt)
	case values.IsNone(recorded):
		// A signed absence, so nothing was deleted.
		return nil, tasks.ErrNoOutput
	}

	return recorded, nil
}

// read returns the output of a stage of the graph as one value. The outputs of other dependencies
// are fetched with it.
func (in inputs) read(ctx context.Context, id dag.StageID) ([]byte, error) {
	stored, err := in.stored(ctx, id)
	if err != nil {
		return nil, err
	}
	return in.array(ctx, id, stored)
}

// readNamed is like read, for a stage by its name.
func (in inputs) readNamed(ctx context.Context, stage string) ([]byte, error) {
	id, ok := in.batch.pipeline.spec.Graph.Lookup(stage)
	if !ok {
		return nil, fmt.Errorf("run %s has no stage %q", in.batch.Claim.Run, stage)
	}
	return in.read(ctx, id)
}

// stored returns the output of a stage of the graph as it was recorded, which may be only the list
// of its parts.
func (in inputs) stored(ctx context.Context, id dag.StageID) ([]byte, error) {
	return in.open(ctx, id, func() ([]byte, error) { return in.recorded(ctx, id) })
}

// readAlone returns the output of a stage of the graph as one value, and fetches nothing with it.
func (in inputs) readAlone(ctx context.Context, id dag.StageID) ([]byte, error) {
	stored, err := in.open(ctx, id, func() ([]byte, error) {
		recorded, err := in.batch.Journal.Outputs(ctx, in.batch.Claim.Run, id)
		if err != nil {
			return nil, err
		}
		return recorded[0], nil
	})
	if err != nil {
		return nil, err
	}
	return in.array(ctx, id, stored)
}

// open returns the value behind what fetch finds recorded as the output of a stage of the graph.
func (in inputs) open(ctx context.Context, id dag.StageID, fetch func() ([]byte, error)) (value []byte, err error) {
	from, err := in.source(id)
	if err != nil {
		return nil, err
	}

	b := in.batch
	// All steps are repeated together: the value may be in a store that is unavailable for a while.
	err = in.retry(ctx, func() error {
		signed, err := fetch()
		if err != nil {
			return err
		}
		recorded, err := in.verify(from, signed)
		if err != nil {
			return fmt.Errorf("stage %q: %w", b.pipeline.spec.Graph.Name(id), err)
		}
		value, err = b.Stores.Open(ctx, b.pipeline.spec, b.Claim.Run, id, recorded)
		return err
	})

	return value, err
}

// fetchedAtOnce is how many outputs are fetched in one call to Redis.
const fetchedAtOnce = 256

// recorded returns what is, or is about to be, recorded as the output of a stage.
func (in inputs) recorded(ctx context.Context, id dag.StageID) ([]byte, error) {
	if in.before != nil && in.before.Record.Stage == id {
		return in.before.Output, nil // it may not be in Redis yet
	}

	// Handlers may read from several goroutines. The lock is held during the call, so that they
	// share its result.
	b := in.batch
	b.outputs.mu.Lock()
	defer b.outputs.mu.Unlock()

	if recorded, ok := b.outputs.fetched[id]; ok {
		return recorded, nil
	}

	// The dependencies that follow are most likely read next, then those of the next attempts: one
	// call for all of them, since a call takes longer than a short command.
	ids := []dag.StageID{id}
	deps := b.pipeline.spec.Graph.Deps(in.graphStage())
	if i := slices.Index(deps, id); i >= 0 {
		ids = b.appendUpcoming(slices.Clone(deps[i:min(len(deps), i+fetchedAtOnce)]), in.kind().Task)
	}

	list, err := b.Journal.Outputs(ctx, b.Claim.Run, ids...)
	if err != nil {
		return nil, err
	}

	// The old outputs go, so that a batch keeps at most one call's worth of them in memory.
	b.outputs.fetched = make(map[dag.StageID][]byte, len(ids))
	for i, fetched := range ids {
		b.outputs.fetched[fetched] = list[i]
	}
	return list[0], nil
}

// appendUpcoming appends the dependencies of the claimed attempts of a task that are executed next,
// until there are enough for one call.
func (b *Batch) appendUpcoming(ids []dag.StageID, task string) []dag.StageID {
	b.delivery.Upcoming(func(a journal.AttemptID) bool {
		g := b.graphStage(a.Stage)
		if b.pipeline.spec.Kind(g).Task != task {
			return true // it may read none of its dependencies
		}

		for _, dep := range b.pipeline.spec.Graph.Deps(g) {
			if len(ids) == fetchedAtOnce {
				return false
			}
			if !slices.Contains(ids, dep) {
				ids = append(ids, dep)
			}
		}

		return true
	})

	return ids
}
