package runstate

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// FuzzFeed lets somebody write what he likes into the journal of a run: it is refused, or can be
// shown.
func FuzzFeed(f *testing.F) {
	b := spec.Builder{Name: "p"}
	b.Add("a", nil, spec.Kind{Task: "noop"})
	b.Add("b", []string{"a"}, spec.Kind{Task: "noop"})
	b.Add("c", nil, spec.Kind{})
	b.Add("d", []string{"a"}, spec.Kind{Task: "noop", Policy: spec.Policy{ForEach: "a", Retries: 1}})
	sp, err := b.Build()
	if err != nil {
		f.Fatal(err)
	}
	code := func(t journal.Type) byte { return byte(t - 1) } // others are not decoded
	started, succeeded := code(journal.StageStarted), code(journal.StageSucceeded)
	f.Add([]byte{started, 0, 1, 0, succeeded, 0, 1, 0, started, 1, 1, 0})
	f.Add([]byte{started, 200, 1, 0})
	f.Add([]byte{code(journal.RunFinished), 0, 0, 0})
	f.Add([]byte{code(journal.StageSkipped), 1, 0, 0, code(journal.RunCancelling), 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := New("run", sp)
		for ; len(data) >= 4; data = data[4:] {
			record := journal.Record{Type: 1 + journal.Type(data[0])%journal.RunReopened, Stage: dag.StageID(data[1]), Attempt: dag.Attempt(binary.LittleEndian.Uint16(data[1:])),
				Cause: dag.StageID(data[3]), Count: uint32(data[3]), Fatal: data[0] > 127, Duration: time.Duration(data[3]) * time.Hour, Text: string(data[:4])}
			if err := r.Apply(journal.Entry{ID: "1-1", Worker: "w", Records: []journal.Record{record}}); err != nil {
				return
			}
		}
		r.Result(time.Unix(0, 0))
		r.CriticalPath()
		for s := range r.DAG.Stages() {
			r.CombinedState(s)
			r.WhySkipped(s)
		}
	})
}
