package progress

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
)

func TestPlain(t *testing.T) {
	for name, color := range map[string]Color{"plain.txt": ColorNever, "plain-color.txt": ColorAlways} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			p := New(Config{Out: &out, Mode: Plain, Color: color, Logs: LogsNone, Remedy: startWorker})
			story := newStory(t, diamond(t), func(run *runstate.Run, e journal.Entry) {
				p.Observe(run, e)
				pass(21700 * time.Millisecond)
			})
			p.Waiting(nil, noWorker("gpu", 1))
			pass(announceAfter)
			p.Waiting(nil, noWorker("gpu", 1))
			fmt.Fprintln(p, "level=WARN msg=\"something is odd\"")
			tellAll(story)
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			golden(t, name, out.Bytes())
		})
	}
}

func TestPlainRunOfVeryManyStages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(Config{Out: &out, Mode: Plain, Color: ColorNever})
		story := newStory(t, wideSpec(t, 12_000), p.Observe)
		story.submit()
		for i := range 12_000 {
			name := fmt.Sprintf("s%d", i)
			if i < 20 {
				story.start("w1", name)
				continue
			}
			if i%3000 == 50 {
				story.end("w1", journal.StageFailed, name, time.Second, journal.Record{Text: "exit status 3"})
				story.end("w1", journal.StageLost, fmt.Sprintf("s%d", i/3000), 0, journal.Record{Text: "its worker died (w1)"})
			} else {
				story.succeed("w1", name, time.Second, "")
			}
			if i%1000 == 0 {
				pass(8 * time.Second)
			}
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		golden(t, "plain-many.txt", out.Bytes())
	})
}

// A log of a CI system is not to be filled by a run that takes hours.
func TestPlainReportsLessOftenAsTimeGoesBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(Config{Out: &out, Mode: Plain, Color: ColorNever})
		story := newStory(t, wideSpec(t, 20_000), p.Observe)
		story.submit()
		for i := range 18_000 { // five hours
			story.succeed("w1", fmt.Sprintf("s%d", i), time.Second, "")
			pass(time.Second)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if lines := strings.Count(out.String(), "\n"); lines < 500 || lines > 900 {
			t.Errorf("%d lines for five hours", lines)
		}
	})
}

func TestQuietSaysNothing(t *testing.T) {
	var out bytes.Buffer
	p := New(Config{Out: &out, Mode: Quiet})
	story := newStory(t, diamond(t), p.Observe)
	fmt.Fprintln(p, "a warning")
	p.Waiting(nil, noWorker("gpu", 1))
	p.Waiting(nil, nil)
	tellAll(story)
	if err := p.Close(); err != nil || out.Len() > 0 {
		t.Errorf("said %q, %v", &out, err)
	}
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := New(Config{Out: &out, Mode: JSON})
		story := newStory(t, diamond(t), p.Observe)
		story.submit()
		fmt.Fprintln(p, `a "warning"`)
		p.Waiting(nil, noWorker("gpu", 1))
		pass(announceAfter)
		p.Waiting(nil, noWorker("gpu", 1))
		p.Waiting(nil, nil)
		story.start("w1", "ingest")
		pass(drawEvery)
		expect(t, "after two seconds", out.String(), `
{"seq":1,"time":"2000-01-01T00:00:00.000Z","type":"run.submitted","run":"demo-1","pipeline":"demo","stages":4,"digest":"d1ge57"}
{"time":"2000-01-01T00:00:00.000Z","type":"message","text":"a \"warning\""}
{"time":"2000-01-01T00:00:02.000Z","type":"waiting","text":"1 stage waits: no live worker listens on queue gpu"}
{"time":"2000-01-01T00:00:02.000Z","type":"resolved","text":"after 2s: no live worker listens on queue gpu"}
{"seq":2,"time":"2000-01-01T00:00:02.000Z","type":"stage.started","stage":"ingest","attempt":1,"worker":"w1"}
`)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

var _ io.Writer = (*Printer)(nil)
