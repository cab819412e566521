package runs

import (
	"context"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/logtext"
	"github.com/godags/godags/internal/nearest"
	"github.com/godags/godags/internal/runstate"
)

// Stage returns the stage of a run that has a name; the error is an [*UnknownStageError].
func Stage(run *runstate.Run, name string) (dag.StageID, error) {
	if s, ok := run.DAG.Lookup(name); ok {
		return s, nil
	}

	names := make([]string, run.Spec.Graph.Len())
	for s := range names {
		names[s] = run.Name(dag.StageID(s))
	}
	return dag.NoStage, &UnknownStageError{Pipeline: run.Spec.Name, Name: name, Near: nearest.Name(name, names)}
}

// Printed returns the stages that have printed something, or are running, in topological order and
// each after its instances.
func Printed(run *runstate.Run) []dag.StageID {
	var stages []dag.StageID
	for _, s := range run.Spec.Graph.Topological() {
		for s := range run.WithInstances(s) {
			_, active := run.Active[s]
			if _, printed := run.Notes[s]; printed || active {
				stages = append(stages, s)
			}
		}
	}

	return stages
}

// Log returns what an attempt of a stage printed, up to 64 KiB: of a longer output the first and
// the last part, with a line between them that says how much is missing. It is empty if the attempt
// printed nothing.
func (s *Service) Log(ctx context.Context, id ID, stage dag.StageID, attempt dag.Attempt) ([]byte, error) {
	log, err := s.session.Journal.Log(ctx, id, journal.AttemptID{Stage: stage, Attempt: attempt})
	return log.Bytes(), err
}

// LogPosition is how far the log of an attempt was read.
type LogPosition = journal.LogPosition

// LogsSince returns what attempts have printed after positions.
func (s *Service) LogsSince(ctx context.Context, id ID, positions []LogPosition) ([]logtext.Text, error) {
	return s.session.Journal.LogsSince(ctx, id, positions)
}
