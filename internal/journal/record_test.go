package journal

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/godags/godags/dag"
)

var allTypes = []Type{RunSubmitted, StageStarted, StageSucceeded, StageFailed, StageLost, StageSkipped, StageCancelled, RunCancelling, RunFinished, RunReopened}

func drawRecord(t *rapid.T) Record {
	return Record{
		Type:     rapid.SampledFrom(allTypes).Draw(t, "type"),
		Stage:    dag.StageID(rapid.Uint32().Draw(t, "stage")),
		Attempt:  dag.Attempt(rapid.Uint16().Draw(t, "attempt")),
		Cause:    dag.StageID(rapid.Uint32().Draw(t, "root")),
		Count:    rapid.Uint32Range(0, dag.MaxInstances).Draw(t, "count"),
		Fatal:    rapid.Bool().Draw(t, "fatal"),
		Duration: time.Duration(rapid.Int64Range(0, math.MaxInt64/1000).Draw(t, "µs")) * time.Microsecond,
		Note:     string(rapid.SliceOfN(rapid.Byte(), 0, MaxNote).Draw(t, "note")),
		Text:     string(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "text")),
	}
}

func TestRecord_IsReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		written := rapid.SliceOf(rapid.Custom(drawRecord)).Draw(t, "records")
		var stored []byte
		for _, r := range written {
			stored = r.append(stored)
		}
		read, err := decodeRecords(string(stored), nil)
		if err != nil || !slices.Equal(read, written) {
			t.Fatalf("%d bytes, %v:\n%+v\nbecame\n%+v", len(stored), err, written, read)
		}
	})
}

func TestRecord_IsRefusedWhenCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		stored := string(r.append(nil))
		cut := rapid.IntRange(1, len(stored)-1).Draw(t, "cut")
		if read, err := decodeRecords(stored[:cut], nil); err == nil || len(read) != 0 {
			t.Fatalf("%d of %d bytes became %+v, %v", cut, len(stored), read, err)
		}
	})
}

// The journal of a run of a million stages must fit into memory.
func TestRecord_IsSmall(t *testing.T) {
	for _, test := range []struct {
		record Record
		most   int
	}{
		{Record{Type: StageStarted, Stage: 999_999, Attempt: 1}, 6},
		{Record{Type: StageSucceeded, Stage: 999_999, Attempt: 1, Duration: time.Millisecond}, 8},
		{Record{Type: StageSucceeded, Stage: 999_999, Attempt: 1, Duration: time.Minute}, 10},
	} {
		if n := len(test.record.append(nil)); n > test.most {
			t.Errorf("%+v takes %d bytes", test.record, n)
		}
	}
}

func TestRecord_StoresNoFieldOutOfRange(t *testing.T) {
	r := Record{Type: StageFailed, Stage: 1, Attempt: 1, Duration: -time.Second, Note: strings.Repeat("n", MaxNote+1), Text: strings.Repeat("t", MaxText+1)}
	got, err := decodeRecords(string(r.append(nil)), nil)
	r.Duration, r.Note, r.Text = 0, r.Note[:MaxNote], r.Text[:MaxText]
	if err != nil || !slices.Equal(got, []Record{r}) {
		t.Errorf("became %+v, %v", got, err)
	}
}

// The longest duration that Go knows cannot make a journal unreadable.
func TestRecord_KeepsAnyDuration(t *testing.T) {
	r := Record{Type: StageSucceeded, Attempt: 1, Duration: math.MaxInt64}
	if got, err := decodeRecords(string(r.append(nil)), nil); err != nil {
		t.Errorf("became %+v, %v", got, err)
	}
}

func TestType_HasAPublicName(t *testing.T) {
	var names []string
	for _, typ := range allTypes {
		names = append(names, typ.String())
	}
	want := []string{"run.submitted", "stage.started", "stage.succeeded", "stage.failed", "stage.lost", "stage.skipped", "stage.cancelled",
		"run.cancelling", "run.finished", "run.reopened"}
	if !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
	for _, unknown := range []Type{0, 6, 12, 255} {
		if name := unknown.String(); !strings.HasPrefix(name, "unknown.") {
			t.Errorf("type %d is %q", unknown, name)
		}
	}
}

func TestRecord_GivesItsEvent(t *testing.T) {
	want := map[Type]dag.EventType{
		StageStarted: dag.StageStarted, StageSucceeded: dag.StageSucceeded, StageFailed: dag.StageFailed, StageLost: dag.StageLost,
		StageSkipped: dag.StageSkipped, StageCancelled: dag.StageCancelled, RunCancelling: dag.RunCancelling, RunFinished: dag.RunFinished,
		RunReopened: dag.RunReopened,
	}
	for _, typ := range allTypes {
		got, ok := Record{Type: typ, Stage: 4, Attempt: 2, Cause: 3}.Event()
		if means, known := want[typ]; ok != known || ok && got != (dag.Event{Type: means, Stage: 4, Attempt: 2, Cause: 3}) {
			t.Errorf("%s became %+v, %v", typ, got, ok)
		}
	}
}

func FuzzDecodeRecords(f *testing.F) {
	f.Add("")
	f.Add("\x02\xff\xff\xff\xff\x0f\xff\xff\x03\x00\x03\x00\x01\x02\xe8\x07")
	f.Add(string(Record{Type: StageFailed, Stage: 7, Attempt: 2, Cause: 1, Duration: time.Hour, Note: "n", Text: "t"}.append(nil)))
	f.Fuzz(func(t *testing.T, data string) {
		records, err := decodeRecords(data, nil)
		if err != nil {
			return
		}
		var stored []byte
		for _, r := range records {
			if !r.Type.known() || len(r.Note) > len(data) || len(r.Text) > len(data) || r.Duration < 0 {
				t.Fatalf("read %+v", r)
			}
			r.Event()
			r.Note, r.Text = r.Note[:min(len(r.Note), MaxNote)], r.Text[:min(len(r.Text), MaxText)]
			stored = r.append(stored)
		}
		again, err := decodeRecords(string(stored), nil)
		if err != nil || !bytes.Equal(stored, appendAll(again)) {
			t.Fatalf("%+v became %+v, %v", records, again, err)
		}
	})
}

func appendAll(records []Record) (stored []byte) {
	for _, r := range records {
		stored = r.append(stored)
	}
	return stored
}

func BenchmarkAppend(b *testing.B) {
	r := Record{Type: StageSucceeded, Stage: 123_456, Attempt: 1, Duration: 1234 * time.Microsecond, Note: "done"}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = r.append(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecode(b *testing.B) {
	const n = 1000
	var stored []byte
	for s := range dag.StageID(n) {
		stored = Record{Type: StageSucceeded, Stage: s, Attempt: 1, Duration: 1234 * time.Microsecond, Note: "done"}.append(stored)
	}
	data, records := string(stored), make([]Record, 0, n)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeRecords(data, records[:0]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}
