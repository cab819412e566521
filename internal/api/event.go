package api

import (
	"encoding/json"
	"strconv"
	"time"
)

// Event is one record of a run's journal. Fields that do not apply are empty, and left out of the
// JSON.
type Event struct {
	Seq  int       `json:"seq"`  // number of the event in its run, from 1
	Time time.Time `json:"time"` // to the millisecond
	Type string    `json:"type"` // such as "stage.succeeded"

	// Of run.submitted.
	Run      string `json:"run,omitempty"`
	Pipeline string `json:"pipeline,omitempty"`
	Stages   int    `json:"stages,omitempty"`

	// Of stage events. Attempt counts from 1.
	Stage   string  `json:"stage,omitempty"`
	Attempt int     `json:"attempt,omitempty"`
	Worker  string  `json:"worker,omitempty"`  // empty: the coordinator decided
	Seconds float64 `json:"seconds,omitempty"` // duration of the attempt
	Note    string  `json:"note,omitempty"`    // the last line that the attempt printed

	// Elements, of stage.succeeded, is the number of instances that a fan-out makes of the output.
	Elements int `json:"elements,omitempty"`

	Error  string `json:"error,omitempty"`  // of stage.failed and stage.retrying
	Reason string `json:"reason,omitempty"` // of stage.lost, stage.cancelled and run.cancelling
	Cause  string `json:"cause,omitempty"`  // of stage.skipped: the stage that caused the skip

	// Next is when the next attempt is due, of stage.retrying.
	Next time.Time `json:"next,omitzero"`

	// Digest is that of the spec in run.submitted, and that of the output in stage.succeeded.
	Digest string `json:"digest,omitempty"`

	// Of run.finished.
	State  string         `json:"state,omitempty"`
	Counts map[string]int `json:"counts,omitempty"`

	// Text is a stored record that this version cannot interpret.
	Text string `json:"text,omitempty"`
}

// Append appends the event as one line of JSON. It does not allocate: a run may have millions of
// events.
func (e Event) Append(buf []byte) []byte {
	buf = append(buf, `{"seq":`...)
	buf = strconv.AppendInt(buf, int64(e.Seq), 10)
	buf = appendTime(append(buf, `,"time":`...), e.Time)
	buf = appendText(buf, "type", e.Type)

	buf = appendText(buf, "run", e.Run)
	buf = appendText(buf, "pipeline", e.Pipeline)
	buf = appendNumber(buf, "stages", e.Stages)

	buf = appendText(buf, "stage", e.Stage)
	buf = appendNumber(buf, "attempt", e.Attempt)
	buf = appendText(buf, "worker", e.Worker)
	if e.Seconds != 0 {
		buf = strconv.AppendFloat(append(buf, `,"seconds":`...), e.Seconds, 'f', -1, 64)
	}

	buf = appendText(buf, "note", e.Note)
	buf = appendNumber(buf, "elements", e.Elements)

	buf = appendText(buf, "error", e.Error)
	buf = appendText(buf, "reason", e.Reason)
	buf = appendText(buf, "cause", e.Cause)
	if !e.Next.IsZero() {
		buf = appendTime(append(buf, `,"next":`...), e.Next)
	}

	buf = appendText(buf, "digest", e.Digest)

	buf = appendText(buf, "state", e.State)
	if len(e.Counts) > 0 {
		counts, err := json.Marshal(e.Counts)
		if err == nil { // always: it is a map of numbers
			buf = append(append(buf, `,"counts":`...), counts...)
		}
	}

	buf = appendText(buf, "text", e.Text)
	return append(buf, '}', '\n')
}

func appendText(buf []byte, name, value string) []byte {
	if value == "" {
		return buf
	}
	return AppendString(appendName(buf, name), value)
}

func appendNumber(buf []byte, name string, value int) []byte {
	if value == 0 {
		return buf
	}
	return strconv.AppendInt(appendName(buf, name), int64(value), 10)
}

func appendName(buf []byte, name string) []byte {
	buf = append(buf, ',', '"')
	buf = append(buf, name...)
	return append(buf, '"', ':')
}

func appendTime(buf []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(buf, `"2006-01-02T15:04:05.000Z"`)
}

// Message is a line among the events of `run --progress json` that is not in the journal.
type Message struct {
	Time time.Time `json:"time"`
	// message; waiting: why ready stages do not start; resolved: that reason no longer holds;
	// output: a line that a stage printed
	Type    string `json:"type"`
	Stage   string `json:"stage,omitempty"`   // of an output
	Attempt int    `json:"attempt,omitempty"` // of an output
	Text    string `json:"text"`
}

// Append appends the message as one line of JSON.
func (m Message) Append(buf []byte) []byte {
	buf = appendTime(append(buf, `{"time":`...), m.Time)
	buf = appendText(buf, "type", m.Type)
	if m.Stage != "" {
		buf = appendText(buf, "stage", m.Stage)
		buf = appendNumber(buf, "attempt", m.Attempt)
	}
	buf = AppendString(appendName(buf, "text"), m.Text) // a stage may print an empty line
	return append(buf, '}', '\n')
}
