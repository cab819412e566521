package runstate

import (
	"encoding/json"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/journal"
)

// Events appends the events of the entry that the run was fed last. The run must not have been fed
// later entries: what an event says of retries and reasons follows from the state of the run.
func (r *Run) Events(e journal.Entry, events []api.Event) []api.Event {
	seq := int(r.records) - len(e.Records)
	for _, record := range e.Records {
		seq++
		events = append(events, r.event(e, record, seq))
	}
	return events
}

func (r *Run) event(e journal.Entry, record journal.Record, seq int) api.Event {
	event := api.Event{Seq: seq, Time: e.Time, Type: record.Type.String()}

	switch record.Type {
	case journal.RunSubmitted:
		r.submitted(record, &event)
	case journal.RunCancelling:
		event.Reason = record.Text
	case journal.RunFinished:
		finished(record, &event)
	case journal.RunReopened:
		if record.Stage != dag.NoStage {
			event.Stage = r.Name(record.Stage)
		}
	default:
		r.stageEvent(e, record, &event)
	}

	return event
}

func (r *Run) stageEvent(e journal.Entry, record journal.Record, event *api.Event) {
	event.Stage = r.Name(record.Stage)
	event.Attempt = int(record.Attempt)
	event.Worker = e.Worker
	event.Seconds = record.Duration.Seconds()
	event.Note = record.Note
	event.Elements = int(record.Count)

	switch record.Type {
	case journal.StageFailed:
		event.Error = record.Text
		if next, ok := r.Retry(e, record); ok {
			event.Type = "stage.retrying"
			event.Next = next
		}

	case journal.StageSkipped:
		event.Cause = r.Name(record.Cause)
	case journal.StageCancelled:
		event.Reason = r.WhyCancelled(e, record)
	case journal.StageSucceeded:
		event.Digest = record.Digest.String()
	default:
		event.Reason = record.Text
	}
}

func (r *Run) submitted(record journal.Record, event *api.Event) {
	event.Run = string(r.ID)

	var s journal.Submitted
	if json.Unmarshal([]byte(record.Text), &s) != nil {
		event.Text = record.Text
		return
	}

	event.Pipeline = s.Pipeline
	event.Stages = s.Stages
	event.Digest = s.Digest
}

func finished(record journal.Record, event *api.Event) {
	var f journal.Finished
	if json.Unmarshal([]byte(record.Text), &f) != nil {
		event.Text = record.Text
		return
	}
	event.State = f.State
	event.Counts = f.Counts
}
