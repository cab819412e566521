package cli

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/godags/godags/internal/progress"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/runstate"
)

// liveLogs shows the output of stages on the screen while they run. It has its own goroutine: the
// one that reads the journal must not wait for Redis on behalf of the screen.
type liveLogs struct {
	service *runs.Service
	printer *progress.Printer
	tail    *runs.LogTail
	ended   chan struct{} // holds an element if an attempt has ended since the last look

	run  atomic.Value               // runs.ID, as soon as it is known
	ends map[runs.AttemptID]*logEnd // of the attempts that a terminal shows
}

// logEnd is what an attempt has printed last.
type logEnd struct {
	read int64 // offset in the log up to which it was read
	text []byte
}

func newLiveLogs(service *runs.Service, printer *progress.Printer) *liveLogs {
	l := &liveLogs{service: service, printer: printer, tail: service.TailLogs(), ended: make(chan struct{}, 1)}
	l.tail.OnceEnded = printer.Groups()
	return l
}

// Times between two looks. The last lines of a stage are due at once, but a run of short stages
// must not ask for each.
const (
	lookAtMost  = 50 * time.Millisecond
	lastLookMax = 2 * time.Second // Redis may be unreachable when the run is over
)

// observe is called for each entry of the journal, after the printer has observed it.
func (l *liveLogs) observe(run *runstate.Run, e runs.Entry) {
	l.run.Store(run.ID)
	if l.printer.ShowsOutput() && l.tail.Observe(run, e) {
		select {
		case l.ended <- struct{}{}:
		default: // a look is due already
		}
	}
}

// show looks for output until the screen is closed, and then once more.
func (l *liveLogs) show(closed <-chan struct{}) {
	tick := time.NewTicker(runs.LookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-l.ended:
			time.Sleep(lookAtMost)
		case <-closed:
			l.look(lastLookMax)
			return
		}
		l.look(runs.LookEvery)
	}
}

// look shows what is new. An error is not shown: the hook on the Redis client reports it, and the
// next look reads what this one has missed.
func (l *liveLogs) look(most time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	if l.printer.ShowsOutput() {
		_ = l.tail.Read(ctx, func(o runs.Output) error {
			l.printer.Output(o.AttemptID, o.Name, o.Lines, o.Ended)
			return nil
		})
	}
	if shown := l.printer.Shown(); len(shown) > 0 {
		l.readEnds(ctx, shown)
	}
}

// keptEnd is how much is kept of the end of a log: a terminal shows one line of it.
const keptEnd = 4 << 10

// readEnds shows the last line of running attempts.
func (l *liveLogs) readEnds(ctx context.Context, shown []runs.AttemptID) {
	ends := make(map[runs.AttemptID]*logEnd, len(shown))
	positions := make([]runs.LogPosition, len(shown))
	for i, a := range shown {
		if ends[a] = l.ends[a]; ends[a] == nil {
			ends[a] = new(logEnd)
		}
		positions[i] = runs.LogPosition{AttemptID: a, Offset: ends[a].read}
	}

	texts, err := l.service.LogsSince(ctx, l.run.Load().(runs.ID), positions)
	if err != nil {
		return
	}

	l.ends = ends
	logs := make(map[runs.AttemptID][]byte, len(shown))
	for i, text := range texts {
		end := ends[shown[i]]
		if !text.Empty() {
			end.read = text.End()
			end.text = append(end.text, text.Bytes()...)
			end.text = slices.Clone(end.text[max(0, len(end.text)-keptEnd):])
		}
		logs[shown[i]] = end.text
	}

	l.printer.Logs(logs)
}
