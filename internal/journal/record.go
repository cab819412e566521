package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/version"
)

// Type is the kind of a record.
type Type uint8

// The types of record, with their numbers in the stored form.
const (
	RunSubmitted   Type = 1
	StageStarted   Type = 2
	StageSucceeded Type = 3
	StageFailed    Type = 4
	StageLost      Type = 5
	StageSkipped   Type = 7
	StageCancelled Type = 8
	RunCancelling  Type = 9
	RunFinished    Type = 10
	RunReopened    Type = 11
)

var types = [...]struct {
	name  string
	event dag.EventType
}{
	RunSubmitted:   {name: "run.submitted"},
	StageStarted:   {"stage.started", dag.StageStarted},
	StageSucceeded: {"stage.succeeded", dag.StageSucceeded},
	StageFailed:    {"stage.failed", dag.StageFailed},
	StageLost:      {"stage.lost", dag.StageLost},
	StageSkipped:   {"stage.skipped", dag.StageSkipped},
	StageCancelled: {"stage.cancelled", dag.StageCancelled},
	RunCancelling:  {"run.cancelling", dag.RunCancelling},
	RunFinished:    {"run.finished", dag.RunFinished},
	RunReopened:    {"run.reopened", dag.RunReopened},
}

// String returns the type's public name, such as "stage.started".
func (t Type) String() string {
	if t.known() {
		return types[t].name
	}
	return fmt.Sprintf("unknown.%d", uint8(t))
}

func (t Type) known() bool { return int(t) < len(types) && types[t].name != "" }

// NotBegun begins the text of a stage.lost record of an attempt that was claimed and not executed.
const NotBegun = "not begun"

// Record is one fact about a stage or the run.
type Record struct {
	Type Type
	// nothing for run.* types, except that run.reopened has the stage that was named, or
	// dag.NoStage
	Stage   dag.StageID
	Attempt dag.Attempt // of what a worker reports, and of stage.lost
	Cause   dag.StageID // of stage.skipped: the stage that is the cause
	// of stage.succeeded: the number of elements, if there are instances for each
	Count uint32
	Fatal bool // of stage.failed: it must not be tried again
	// of the attempt's execution, to the microsecond; of run.cancelling: the time limit that is
	// over, if that is why
	Duration time.Duration
	// of stage.succeeded: of the stage's output; zero if it has none
	Digest Digest
	Note   string // the last line that the attempt printed
	// stage.failed: the error; stage.lost, stage.cancelled, run.cancelling: the reason; other
	// run.*: JSON
	Text string
}

// Digest is the SHA-256 of an output, as the stage that made it encoded it. Equal outputs have
// equal digests, wherever they are stored.
type Digest [sha256.Size]byte

// String returns the digest in hexadecimal; the zero digest, which no output has, is empty.
func (d Digest) String() string {
	if d == (Digest{}) {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// Event returns what the record means to the run's state machine. It is false for run.submitted,
// which means nothing to it.
func (r Record) Event() (dag.Event, bool) {
	return dag.Event{Type: types[r.Type].event, Stage: r.Stage, Attempt: r.Attempt, Cause: r.Cause, Count: r.Count, Fatal: r.Fatal}, r.Type != RunSubmitted
}

// The fields of a record that are there only if the record has them. They are stored as a varint,
// so that a later format can have more than seven.
const (
	hasCause = 1 << iota
	hasDuration
	hasNote
	hasText
	hasCount
	isFatal
	hasDigest
	allFields = 1<<iota - 1
)

// Limits of what a record keeps of a text; the whole output of an attempt is in its log.
const (
	MaxNote = 200
	MaxText = 4096
)

// append adds the stored form: type, stage, attempt, which fields follow, fields.
func (r Record) append(buf []byte) []byte {
	fields := bit(hasCause, r.Cause != 0) | bit(hasDuration, r.Duration > 0) | bit(hasNote, r.Note != "") | bit(hasText, r.Text != "") |
		bit(hasCount, r.Count > 0) | bit(isFatal, r.Fatal) | bit(hasDigest, r.Digest != Digest{})
	buf = append(buf, byte(r.Type))
	buf = binary.AppendUvarint(buf, uint64(r.Stage))
	buf = binary.AppendUvarint(buf, uint64(r.Attempt))
	buf = append(buf, fields) // below 128: its own varint
	if fields&hasCause != 0 {
		buf = binary.AppendUvarint(buf, uint64(r.Cause))
	}

	if fields&hasCount != 0 {
		buf = binary.AppendUvarint(buf, uint64(r.Count))
	}

	if fields&hasDuration != 0 {
		buf = binary.AppendUvarint(buf, uint64(r.Duration.Microseconds()))
	}

	if fields&hasDigest != 0 {
		buf = append(buf, r.Digest[:]...)
	}

	if fields&hasNote != 0 {
		buf = appendText(buf, r.Note, MaxNote)
	}

	if fields&hasText != 0 {
		buf = appendText(buf, r.Text, MaxText)
	}
	return buf
}

func bit(field byte, there bool) byte {
	if there {
		return field
	}
	return 0
}

// appendText keeps at most the given number of bytes, and no part of a character.
func appendText(buf []byte, text string, most int) []byte {
	if len(text) > most {
		for most > 0 && !utf8.RuneStart(text[most]) {
			most--
		}
		text = text[:most]
	}
	return append(binary.AppendUvarint(buf, uint64(len(text))), text...)
}

var errRecord = errors.New("a record cannot be decoded")

// decodeRecords appends the records of a stored entry to records.
func decodeRecords(data string, records []Record) ([]Record, error) {
	for len(data) > 0 {
		d := decoder{data: data}
		r := Record{Type: Type(d.byte()), Stage: dag.StageID(d.uint(1<<32 - 1)), Attempt: dag.Attempt(d.uint(1<<16 - 1))}
		fields := d.uint(math.MaxUint64)

		// What comes behind a type or field that this program does not know cannot be found.
		switch {
		case d.bad || r.Type == 0:
			return records, errRecord
		case !r.Type.known():
			return records, version.Unknown(fmt.Sprintf("record type %d", r.Type))
		case fields > allFields:
			return records, version.Unknown(fmt.Sprintf("record fields %#x", fields&^allFields))
		}

		r.Fatal = fields&isFatal != 0
		if fields&hasCause != 0 {
			r.Cause = dag.StageID(d.uint(1<<32 - 1))
		}

		if fields&hasCount != 0 {
			r.Count = uint32(d.uint(dag.MaxInstances))
		}

		if fields&hasDuration != 0 {
			r.Duration = time.Duration(d.uint(math.MaxInt64/1000)) * time.Microsecond
		}

		if fields&hasDigest != 0 {
			copy(r.Digest[:], d.take(sha256.Size))
		}

		if fields&hasNote != 0 {
			r.Note = d.text()
		}

		if fields&hasText != 0 {
			r.Text = d.text()
		}

		if d.bad {
			return records, errRecord
		}

		records = append(records, r)
		data = d.data
	}

	return records, nil
}

// decoder takes values off the front of data; bad is set, for good, by the first that is not there.
type decoder struct {
	data string
	bad  bool
}

func (d *decoder) byte() byte {
	if len(d.data) == 0 {
		d.bad = true
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

func (d *decoder) uint(most uint64) uint64 {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		b := d.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			d.bad = d.bad || v > most
			return v
		}
	}

	d.bad = true
	return 0
}

func (d *decoder) text() string {
	return d.take(d.uint(uint64(len(d.data))))
}

func (d *decoder) take(n uint64) string {
	if d.bad || n > uint64(len(d.data)) {
		d.bad = true
		return ""
	}
	text := d.data[:n]
	d.data = d.data[n:]
	return text
}
