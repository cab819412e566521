// Package progress shows a run while it is active, and sums it up when it is finished.
package progress

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/runstate"
	"github.com/godags/godags/internal/term"
)

// Config says how and where a run is shown. Only Out is needed.
type Config struct {
	Out   io.Writer                   // where progress goes: standard error
	Mode  Mode                        // Auto if empty
	Color Color                       // ColorAuto if empty
	Env   func(string) (string, bool) // looks up environment variables; nil: os.LookupEnv
	// of the terminal; nil: Out is asked; 80 x 24 if it does not know
	Size func() (width, height int)
	// Remedy returns what to do about stages that no live worker can run, such as the command that
	// starts one; empty: nothing. Nil: nothing is suggested.
	Remedy func(runstate.Group) string
}

// Printer shows one run. All its methods may be called at the same time. None of them waits for Out
// except Close: a terminal that is stopped does not stop the run.
type Printer struct {
	out    io.Writer
	remedy func(runstate.Group) string
	stop   chan struct{} // closed by Close
	done   chan struct{} // closed when the goroutine that writes has ended
	once   sync.Once

	mu      sync.Mutex
	display display // nil: nothing is shown, or no longer
	buf     []byte  // what is not written yet
	spare   []byte  // what buf was before the last write
	partial []byte  // of a message whose line is not complete
	blocks  blocks
	err     error // the first that Out returned
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
	kind messageKind
	text string
}

// messageKind is the type of a message in JSON: see [api.Message].
type messageKind string

const (
	logLine  messageKind = "message"
	waiting  messageKind = "waiting"  // no live worker can run some ready stages
	resolved messageKind = "resolved" // that is over
)

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

	p := &Printer{out: cfg.Out, remedy: cfg.Remedy, stop: make(chan struct{}), done: make(chan struct{})}
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
func (p *Printer) Past(entry journal.Position) {
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
	p.blocks.observe(run)
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
		p.say(message{logLine, string(bytes.TrimSuffix(line, []byte("\r")))})
		p.partial = rest
	}
}

func (p *Printer) say(m message) {
	if p.display != nil {
		p.buf = p.display.say(p.buf, m, time.Now())
	}
}

// Close writes what is left and leaves the terminal clean. It returns the first error that Out
// returned, after which nothing was written. Further calls do nothing and return the same.
func (p *Printer) Close() error {
	p.once.Do(func() { close(p.stop) })
	<-p.done
	return p.err
}

// write writes to Out until the printer is closed. No other goroutine does.
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
		p.say(message{logLine, string(p.partial)})
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
