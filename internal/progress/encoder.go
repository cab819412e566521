package progress

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/cells"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/view"
)

// Encoder writes the journal of one run for programs, as lines of JSON: one object per stage and event, with the fields
//
//	seq      number of the event, from 1
//	time     by the clock of Redis, RFC 3339 in UTC, to the millisecond
//	type     such as "stage.succeeded"
//	stage    its name; not of run.* events
//	attempt  from 1; of stage.started, stage.succeeded, stage.failed, stage.lost
//	worker   who reported it; not of the coordinator's decisions
//	seconds  how long the attempt was executed
//	note     the last line that the attempt printed
//	error    of stage.failed and stage.retrying, which is a failure after which the stage is tried again
//	next     of stage.retrying: the time of the next attempt
//	elements of stage.succeeded: how many instances those stages get that have one for each element of the output
//	reason   of stage.lost, stage.cancelled and run.cancelling
//	cause    of stage.skipped: the stage that failed or was cancelled, or whose own condition or trigger was not met; it may be the stage itself
//
// run.submitted has run, pipeline, stages and digest as well; run.finished has state, and counts by state. A field that would be
// empty or zero is left out.
type Encoder struct {
	run *view.Run
	seq int
}

// NewEncoder returns the encoder of a run, which must have been fed the entries that are appended, and no later ones.
func NewEncoder(run *view.Run) *Encoder { return &Encoder{run: run} }

// Append appends the lines of the run's next entry to buf.
func (enc *Encoder) Append(buf []byte, e journal.Entry) []byte {
	for _, r := range e.Records {
		enc.seq++
		buf = append(buf, `{"seq":`...)
		buf = strconv.AppendInt(buf, int64(enc.seq), 10)
		buf = appendTime(append(buf, `,"time":`...), e.Time)
		buf = append(buf, `,"type":"`...)
		next, retrying := enc.run.Retry(e, r)
		if retrying {
			buf = append(buf, "stage.retrying"...)
		} else {
			buf = append(buf, r.Type.String()...)
		}
		buf = append(buf, '"')
		switch r.Type {
		case journal.RunSubmitted:
			buf = enc.submitted(buf, r)
		case journal.RunCancelling:
			buf = field(buf, "reason", r.Text)
		case journal.RunFinished:
			buf = finished(buf, r)
		case journal.RunReopened:
			if r.Stage != dag.NoStage {
				buf = field(buf, "stage", enc.run.Name(r.Stage))
			}
		default:
			buf = enc.stage(buf, e, r)
		}
		if retrying {
			buf = appendTime(append(buf, `,"next":`...), next)
		}
		buf = append(buf, '}', '\n')
	}
	return buf
}

func (enc *Encoder) stage(buf []byte, e journal.Entry, r journal.Record) []byte {
	buf = field(buf, "stage", enc.run.Name(r.Stage))
	if r.Attempt > 0 {
		buf = strconv.AppendInt(append(buf, `,"attempt":`...), int64(r.Attempt), 10)
	}
	buf = field(buf, "worker", e.Worker)
	if r.Duration > 0 {
		buf = strconv.AppendFloat(append(buf, `,"seconds":`...), r.Duration.Seconds(), 'f', -1, 64)
	}
	buf = field(buf, "note", r.Note)
	if r.Count > 0 {
		buf = strconv.AppendInt(append(buf, `,"elements":`...), int64(r.Count), 10)
	}
	switch r.Type {
	case journal.StageFailed:
		buf = field(buf, "error", r.Text)
	case journal.StageSkipped:
		buf = field(buf, "cause", enc.run.Name(r.Root))
	case journal.StageCancelled:
		buf = field(buf, "reason", enc.run.WhyCancelled(e, r))
	default:
		buf = field(buf, "reason", r.Text)
	}
	return buf
}

func (enc *Encoder) submitted(buf []byte, r journal.Record) []byte {
	buf = field(buf, "run", string(enc.run.ID))
	var s journal.Submitted
	if json.Unmarshal([]byte(r.Text), &s) != nil {
		return field(buf, "text", r.Text) // as it is, for whoever can make sense of it
	}
	buf = field(buf, "pipeline", s.Pipeline)
	buf = strconv.AppendInt(append(buf, `,"stages":`...), int64(s.Stages), 10)
	return field(buf, "digest", s.Digest)
}

func finished(buf []byte, r journal.Record) []byte {
	var f journal.Finished
	if json.Unmarshal([]byte(r.Text), &f) != nil {
		return field(buf, "text", r.Text)
	}
	buf = field(buf, "state", f.State)
	counts, err := json.Marshal(f.Counts)
	if err != nil {
		return buf // a map of numbers can always be encoded
	}
	return append(append(buf, `,"counts":`...), cells.EscapeJSON(counts)...)
}

// field appends a field whose value is text, unless that is empty.
func field(buf []byte, name, value string) []byte {
	if value == "" {
		return buf
	}
	buf = append(buf, ',', '"')
	buf = append(buf, name...)
	buf = append(buf, '"', ':')
	return appendString(buf, value)
}

func appendTime(buf []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(buf, `"2006-01-02T15:04:05.000Z"`)
}

// appendString appends a JSON string, as encoding/json does without its escapes for HTML, but without allocating. What a terminal might obey is
// escaped as by [cells.EscapeJSON].
func appendString(buf []byte, s string) []byte {
	buf = append(buf, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b >= ' ' && b < 0x7f && b != '"' && b != '\\' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r >= utf8.RuneSelf && !cells.Hidden(r, size) {
			i += size
			continue
		}
		buf = append(buf, s[start:i]...)
		buf = appendEscaped(buf, r)
		i += size
		start = i
	}
	buf = append(buf, s[start:]...)
	return append(buf, '"')
}

func appendEscaped(buf []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(buf, '\\', byte(r))
	case '\b':
		return append(buf, `\b`...)
	case '\f':
		return append(buf, `\f`...)
	case '\n':
		return append(buf, `\n`...)
	case '\r':
		return append(buf, `\r`...)
	case '\t':
		return append(buf, `\t`...)
	}
	return cells.AppendEscaped(buf, r)
}
