package runstate

import (
	"encoding/json"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/journal"
)

// Events appends the events of an entry, which must be the one that was applied last: what an event
// says of retries and reasons follows from the state of the run.
func (r *Run) Events(e journal.Entry, events []api.Event) []api.Event {
	seq := int(r.records) - len(e.Records)
	for _, record := range e.Records {
		seq++
		event := api.Event{Seq: seq, Time: e.Time, Type: record.Type.String()}
		eventForm{r, e, record}.fill(&event)
		events = append(events, event)
	}
	return events
}

// eventForm makes the JSON form of one record.
type eventForm struct {
	run    *Run
	entry  journal.Entry
	record journal.Record
}

// fill sets the fields that depend on the type of the record.
func (f eventForm) fill(event *api.Event) {
	switch f.record.Type {
	case journal.RunSubmitted:
		event.Run = string(f.run.ID)
		f.fillSubmitted(event)
	case journal.RunCancelling:
		event.Reason = f.record.Text
	case journal.RunFinished:
		f.fillFinished(event)
	case journal.RunReopened:
		if f.record.Stage != dag.NoStage {
			event.Stage = f.run.Name(f.record.Stage)
		}
	default:
		f.fillStage(event)
	}
}

func (f eventForm) fillStage(event *api.Event) {
	record := f.record
	event.Stage = f.run.Name(record.Stage)
	event.Attempt = int(record.Attempt)
	event.Worker = f.entry.Worker
	event.Seconds = record.Duration.Seconds()
	event.Note = record.Note
	event.Elements = int(record.Count)

	switch record.Type {
	case journal.StageFailed:
		event.Error = record.Text

		// The journal has no record of a retry: it follows from the rules of the stage. Readers of
		// events do not have these rules.
		if next, ok := f.run.RetryDue(f.entry, record); ok {
			event.Type = "stage.retrying"
			event.Next = next
		}

	case journal.StageSkipped:
		event.Cause = f.run.Name(record.Cause)
	case journal.StageCancelled:
		event.Reason = f.run.WhyCancelled(f.entry, record)
	case journal.StageSucceeded:
		event.Digest = record.Digest.String()
	default:
		event.Reason = record.Text
	}
}

func (f eventForm) fillSubmitted(event *api.Event) {
	var s journal.Submitted
	if json.Unmarshal([]byte(f.record.Text), &s) != nil {
		// Another program wrote it. The text may still tell a person something.
		event.Text = f.record.Text
		return
	}

	event.Pipeline = s.Pipeline
	event.Stages = s.Stages
	event.Digest = s.Digest
}

func (f eventForm) fillFinished(event *api.Event) {
	var finished journal.Finished
	if json.Unmarshal([]byte(f.record.Text), &finished) != nil {
		event.Text = f.record.Text // as in fillSubmitted
		return
	}

	event.State = finished.State
	event.Counts = finished.Counts
}
