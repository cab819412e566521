// Package progress shows a run while it goes on, and sums it up at its end.
package progress

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/godags/godags/internal/fleet"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/term"
	"github.com/godags/godags/internal/version"
)

// Config says how and where a run is shown. Only Out is needed.
type Config struct {
	Out   io.Writer                   // where progress goes: standard error
	Mode  Mode                        // Auto if empty
	Color Color                       // ColorAuto if empty
	Env   func(string) (string, bool) // looks up environment variables; nil: os.LookupEnv
	// of the terminal; nil: Out is asked; 80 x 24 if it does not know
	Size func() (width, height int)
	// the hint that starts a worker for a queue; nil: none is given
	WorkerCommand func(queue string) string
}

// Printer shows one run. All its methods may be called at the same time. None of them waits for Out
// except Close: a terminal that is stopped does not stop the run.
type Printer struct {
	out           io.Writer
	workerCommand func(queue string) string
	stop          chan struct{} // closed by Close
	done          chan struct{} // closed when the goroutine that writes has ended
	once          sync.Once

	mu      sync.Mutex
	display display // nil: nothing is shown, or no longer
	buf     []byte  // what is not written yet
	spare   []byte  // what buf was before the last write
	partial []byte  // of a message whose line is not complete
	// by queue and task without workers: how long it was so when that was last said
	told map[string]time.Duration
	err  error // the first that Out returned
}

// display is one form of progress. Each method appends what is to be written to buf; a Printer
// never calls two at the same time.
type display interface {
	observe(buf []byte, run *runstate.Run, e journal.Entry, now time.Time) []byte
	say(buf []byte, m message, now time.Time) []byte
	draw(buf []byte, now time.Time) []byte   // ten times a second
	finish(buf []byte, now time.Time) []byte // once, instead of a draw
}

// message is a line that is not from the journal.
type message struct {
	waiting bool // for a worker; otherwise somebody's log
	text    string
}

// drawEvery is the time between two writes to Out.
const drawEvery = 100 * time.Millisecond

// New returns a printer and starts the goroutine that writes. The caller must close the printer.
func New(cfg Config) *Printer {
	if cfg.Env == nil {
		cfg.Env = os.LookupEnv
	}

	if cfg.Size == nil {
		cfg.Size = func() (int, int) { return size(cfg.Out) }
	}

	p := &Printer{out: cfg.Out, workerCommand: cfg.WorkerCommand, stop: make(chan struct{}), done: make(chan struct{}), told: make(map[string]time.Duration)}
	color := cfg.Color.Enabled(cfg.Out, cfg.Env)
	switch cfg.Mode.resolve(cfg.Out, cfg.Env) {
	case TTY:
		p.display = newTTY(color, cfg.Size)
	case JSON:
		p.display = &stream{}
	case Quiet:
		close(p.done)
		return p
	default:
		p.display = &plain{color: color}
	}

	go p.write()
	return p
}

// Past sums up in a line what a terminal or a log is shown of the entries up to the given one. It
// is called before the first of them is observed.
func (p *Printer) Past(entry string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch d := p.display.(type) {
	case *tty:
		d.past = entry
	case *plain:
		d.past = entry
	}
}

// Observe shows what an entry says. It is called for each entry of the journal, in order, after the
// entry was applied to run; run is not used after Observe returns.
func (p *Printer) Observe(run *runstate.Run, e journal.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.display != nil {
		p.buf = p.display.observe(p.buf, run, e, time.Now())
	}
}

// Write shows whole lines of text, such as warnings, among the progress of the run. It never fails.
func (p *Printer) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partial = append(p.partial, text...)
	for {
		line, rest, whole := bytes.Cut(p.partial, []byte("\n"))
		if !whole {
			return len(text), nil
		}
		p.say(message{text: string(bytes.TrimSuffix(line, []byte("\r")))})
		p.partial = rest
	}
}

func (p *Printer) say(m message) {
	if p.display != nil {
		p.buf = p.display.say(p.buf, m, time.Now())
	}
}

// When a queue without workers is worth a line.
const (
	waitingAfter = 2 * time.Second
	waitingAgain = 30 * time.Second
)

// Waiting explains why stages do not start. It is called again and again with all that no worker
// can execute; each is shown when it has been so for 2 s, then every 30 s, and less often the
// longer it goes on.
func (p *Printer) Waiting(queues []fleet.Unschedulable) {
	p.mu.Lock()
	defer p.mu.Unlock()

	before := p.told
	p.told = make(map[string]time.Duration)
	for _, w := range queues {
		what := w.Queue + "\n" + w.Task
		told, ok := before[what]
		if w.For < told {
			ok = false // it was served in between
		}

		if !ok && w.For >= waitingAfter || ok && w.For-told >= max(waitingAgain, told/2) {
			p.say(message{waiting: true, text: p.explain(w)})
			told = w.For
			ok = true
		}

		if ok {
			p.told[what] = told
		}
	}
}

func (p *Printer) explain(w fleet.Unschedulable) string {
	if w.Task != "" {
		return explainTask(w)
	}

	wait := "wait"
	if w.Stages == 1 {
		wait = "waits"
	}

	if w.Paused != "" {
		return fmt.Sprintf("%s %s: queue %s is paused (%s): resume it in asynqmon, or delete the key %s in Redis",
			plural(w.Stages, "stage"), wait, w.Queue, rough(w.For), w.Paused)
	}

	worker := "worker"
	if len(w.KeyMismatch) > 0 {
		worker = "worker with our key"
	}

	text := fmt.Sprintf("%s %s, but no %s listens on queue %s (%s)", plural(w.Stages, "stage"), wait, worker, w.Queue, rough(w.For))
	if len(w.KeyMismatch) > 0 {
		return text + fmt.Sprintf(": %q refuses this run's signature, so set the same GODAGS_KEY there and here", w.KeyMismatch[0])
	}
	if len(w.Unhealthy) > 0 {
		return fmt.Sprintf("%s %s, but no worker on queue %s can execute stages (%s): %s", plural(w.Stages, "stage"), wait, w.Queue, rough(w.For), some(w.Unhealthy))
	}
	if len(w.Listeners) > 0 {
		return text + fmt.Sprintf(": %s cannot read the pipelines of this godags (%s): use one version everywhere", listeners(w), version.String())
	}

	if p.workerCommand != nil {
		text += ": start one with " + p.workerCommand(w.Queue)
	}
	return text
}

// explainTask names the handler that no worker has, and who was asked for it.
func explainTask(w fleet.Unschedulable) string {
	who := "stage " + w.Stage + " needs"
	if w.Stages > 1 {
		who = fmt.Sprintf("stage %s and %s need", w.Stage, plural(w.Stages-1, "other"))
	}

	text := fmt.Sprintf("%s the handler %s, which no live worker has (%s): start a worker of that program", who, w.Task, rough(w.For))
	if len(w.Listeners) == 0 {
		return text + "; nobody listens on queue " + w.Queue
	}

	return text + fmt.Sprintf("; on queue %s there are %s", w.Queue, listeners(w))
}

// listeners names the first few of them.
func listeners(w fleet.Unschedulable) string { return some(w.Listeners) }

// some names the first few of a list.
func some(list []string) string {
	const most = 3
	text := strings.Join(list[:min(len(list), most)], ", ")
	if more := len(list) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// Close writes what is left and leaves the terminal clean. It returns the first error that Out
// returned, after which nothing was written. Further calls do nothing and return the same.
func (p *Printer) Close() error {
	p.once.Do(func() { close(p.stop) })
	<-p.done
	return p.err
}

// write writes to Out until the printer is closed. Nobody else does.
func (p *Printer) write() {
	defer close(p.done)
	ticker := time.NewTicker(drawEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.flush(display.draw)
		case <-p.stop:
			p.end()
			return
		}
	}
}

func (p *Printer) end() {
	p.mu.Lock()
	if len(p.partial) > 0 {
		p.say(message{text: string(p.partial)})
	}

	p.mu.Unlock()
	p.flush(display.finish)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.display = nil
}

// maxSpare is the size of the largest buffer that is kept for later.
const maxSpare = 1 << 20

func (p *Printer) flush(last func(display, []byte, time.Time) []byte) {
	p.mu.Lock()
	if p.display == nil {
		p.mu.Unlock()
		return
	}

	out := last(p.display, p.buf, time.Now())
	p.buf = p.spare[:0]
	p.mu.Unlock()

	var err error
	if len(out) > 0 {
		_, err = p.out.Write(out)
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	if p.spare = nil; cap(out) <= maxSpare {
		p.spare = out
	}
	if err != nil {
		p.err = fmt.Errorf("show progress: %w", err)
		p.display = nil
		p.buf = nil
	}
}

// size asks the terminal for its size.
func size(out io.Writer) (width, height int) {
	if width, height, ok := term.Size(out); ok {
		return width, height
	}
	return 80, 24
}
