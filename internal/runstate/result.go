package runstate

import (
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
)

// Result returns the JSON form of the run, without its outputs.
func (r *Run) Result(now time.Time) api.Run {
	s := r.DAG
	result := api.Run{
		Run:      string(r.ID),
		Pipeline: r.Spec.Name,
		State:    api.Running,
		Started:  r.Submitted.UTC(),
		Seconds:  r.Elapsed(now).Seconds(),
		Stages: api.Counts{Total: s.Total(), Outcomes: &api.Outcomes{
			Succeeded: s.Count(dag.Succeeded),
			Failed:    s.Count(dag.Failed),
			Skipped:   s.Count(dag.Skipped),
			Cancelled: s.Count(dag.Cancelled),
		}},
	}

	// Done is not enough: a run is finished once its end is recorded.
	if s.Finished() {
		at := r.Finished.UTC()
		result.State = s.Outcome().String()
		result.Finished = &at
	}

	return result
}
