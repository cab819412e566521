package progress

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
)

// BenchmarkObserve shows how many events a second each mode can show. An entry has a stage's end
// and the next one's start.
func BenchmarkObserve(b *testing.B) {
	const stages = 100_000
	sp := wideSpec(b, stages)
	for _, mode := range []Mode{Quiet, TTY, Plain, JSON} {
		b.Run(string(mode), func(b *testing.B) {
			events, spent := 0, time.Duration(0)
			for b.Loop() {
				p := New(Config{Out: io.Discard, Mode: mode})
				run := runstate.New("demo-1", sp)
				for i := range dag.StageID(stages) {
					e := journal.Entry{ID: "1-0", Time: time.Now(), Worker: "w1", Records: []journal.Record{
						{Type: journal.StageStarted, Stage: i, Attempt: 1},
						{Type: journal.StageSucceeded, Stage: i, Attempt: 1, Duration: time.Millisecond, Note: "Running stage 1"},
					}}
					if err := run.Apply(e); err != nil {
						b.Fatal(err)
					}
					begin := time.Now()
					p.Observe(run, e)
					spent += time.Since(begin)
					events += len(e.Records)
				}
				begin := time.Now()
				if err := p.Close(); err != nil {
					b.Fatal(err)
				}
				spent += time.Since(begin)
			}
			b.ReportMetric(float64(events)/spent.Seconds(), "events/s")
		})
	}
}

func BenchmarkEvents(b *testing.B) {
	run := runstate.New("demo-1", wideSpec(b, 1))
	e := journal.Entry{Time: time.Now(), Worker: "host-abc123", Records: []journal.Record{
		{Type: journal.StageSucceeded, Attempt: 1, Duration: 1234567 * time.Nanosecond, Note: "Running stage 1"}}}
	var events []api.Event
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		events = run.Events(e, events[:0])
		buf = events[0].Append(buf[:0])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkSummary sums up a run of a million stages of which half are skipped.
func BenchmarkSummary(b *testing.B) {
	const stages = 1_000_000
	var pipeline [][]string
	for i := range stages {
		if i%2 == 0 {
			pipeline = append(pipeline, []string{fmt.Sprintf("s%d", i)})
		} else {
			pipeline = append(pipeline, []string{fmt.Sprintf("s%d", i), fmt.Sprintf("s%d", i-1)})
		}
	}
	s := newStory(b, build(b, pipeline...), func(*runstate.Run, journal.Entry) {})
	for i := dag.StageID(0); i < stages; i += 2 {
		s.entry("w1", journal.Record{Type: journal.StageFailed, Stage: i, Attempt: 1, Duration: time.Second, Text: "no"},
			journal.Record{Type: journal.StageSkipped, Stage: i + 1, Cause: i})
	}
	for b.Loop() {
		if err := Summary(io.Discard, s.run, SummaryConfig{}); err != nil {
			b.Fatal(err)
		}
	}
}
