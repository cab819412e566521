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

// The types of record, with their numbers in the stored form. No type has the number 6.
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

// NotBegun is the start of the text of a stage.lost record if the attempt was claimed and not
// executed.
const NotBegun = "not begun"

// Record is one fact about a stage or the run.
type Record struct {
	Type Type

	// Stage is unused by run.* types, except that run.reopened has the stage that the user named,
	// or dag.NoStage.
	Stage   dag.StageID
	Attempt dag.Attempt // of records that a worker reports, and of stage.lost
	Cause   dag.StageID // of stage.skipped: the stage because of which it was skipped
	Count   uint32      // of stage.succeeded: the number of elements, for a list with instances
	Fatal   bool        // of stage.failed: no retry

	// Duration is how long the attempt was executed, to the microsecond. In run.cancelling it is
	// the time limit of the run, if that was reached.
	Duration time.Duration
	Digest   Digest // of stage.succeeded: digest of the output; zero without an output
	Note     string // the last line that the attempt printed

	// Text is the error of stage.failed, the reason of stage.lost, stage.cancelled and
	// run.cancelling, and JSON in other run.* types.
	Text string
}

// Digest is the SHA-256 of an output as the stage encoded it. Equal outputs have equal digests,
// wherever they are stored.
type Digest [sha256.Size]byte

// String returns the digest in hexadecimal; the zero digest, which no output has, is empty.
func (d Digest) String() string {
	if d == (Digest{}) {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// Event returns the event of the state machine that the record stands for. It is false for
// run.submitted: a state machine starts with the run submitted.
func (r Record) Event() (dag.Event, bool) {
	event := dag.Event{
		Type:    types[r.Type].event,
		Stage:   r.Stage,
		Attempt: r.Attempt,
		Cause:   r.Cause,
		Count:   r.Count,
		Fatal:   r.Fatal,
	}
	return event, r.Type != RunSubmitted
}

// The optional fields of a record, as bits. The bits are stored as a varint, so that a later format
// can have more than seven fields.
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

// Limits of the texts in a record, in bytes. The whole output of an attempt is in its log.
const (
	MaxNote = 200
	MaxText = 4096
)

// append adds the stored form: type, stage, attempt, the bits of the fields, fields.
func (r Record) append(buf []byte) []byte {
	// Most records have a field or two. Without the others a record takes some ten bytes, and a run
	// has two or more records for each stage.
	fields := bit(hasCause, r.Cause != 0) | bit(hasDuration, r.Duration > 0) | bit(hasNote, r.Note != "") | bit(hasText, r.Text != "") |
		bit(hasCount, r.Count > 0) | bit(isFatal, r.Fatal) | bit(hasDigest, r.Digest != Digest{})
	buf = append(buf, byte(r.Type))
	buf = binary.AppendUvarint(buf, uint64(r.Stage))
	buf = binary.AppendUvarint(buf, uint64(r.Attempt))

	// A byte below 128 is its own varint.
	buf = append(buf, fields)
	if fields&hasCause != 0 {
		buf = binary.AppendUvarint(buf, uint64(r.Cause))
	}

	if fields&hasCount != 0 {
		buf = binary.AppendUvarint(buf, uint64(r.Count))
	}

	// Finer than microseconds is noise, and costs a byte or two.
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

// appendText appends a text with its length. It keeps at most the given number of bytes.
func appendText(buf []byte, text string, most int) []byte {
	if len(text) > most {
		// A character that is cut in two would be invalid UTF-8 in every JSON made of the record.
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

		// Nothing after an unknown type or field can be found: only a program that knows the field
		// knows how long it is. To skip the record would show a wrong state.
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

		// The count becomes as many instances. A damaged one must not take all memory.
		if fields&hasCount != 0 {
			r.Count = uint32(d.uint(dag.MaxInstances))
		}

		// The limit keeps the product within 63 bits.
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

// decoder takes values off the front of data. The first value that is missing or out of range sets
// bad for good, so that callers check it once for several values.
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
	// Not binary.Uvarint: that takes bytes, and a reply of Redis is a string, whose conversion
	// would copy it.
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
	// A length from damaged data may be anything: it is compared before anything is allocated.
	if d.bad || n > uint64(len(d.data)) {
		d.bad = true
		return ""
	}
	text := d.data[:n]
	d.data = d.data[n:]
	return text
}
