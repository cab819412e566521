package progress

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godags/godags/internal/journal"
)

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Somebody presses Ctrl-S in the terminal, or reads a pipe slowly: the run must not notice.
func TestAStoppedTerminalDoesNotStopTheRun(t *testing.T) {
	for _, mode := range []Mode{TTY, Plain, JSON} {
		synctest.Test(t, func(t *testing.T) {
			goOn := make(chan struct{})
			var out bytes.Buffer
			p := New(Config{Mode: mode, Out: writerFunc(func(b []byte) (int, error) {
				<-goOn
				return out.Write(b)
			})})
			story := newStory(t, wideSpec(t, 500), p.Observe)
			story.submit()
			for i := range 500 {
				story.succeed("w1", fmt.Sprintf("s%d", i), time.Second, "")
				fmt.Fprintf(p, "message %d\n", i)
				p.Waiting(nil, noWorker("gpu", 3))
				pass(50 * time.Millisecond)
			}
			close(goOn)
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if !strings.Contains(out.String(), "message 499") || !strings.Contains(out.String(), "s499") {
				t.Errorf("%s: something is lost", mode)
			}
		})
	}
}

func TestBrokenPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken, writes := errors.New("broken pipe"), 0
		p := New(Config{Mode: Plain, Out: writerFunc(func([]byte) (int, error) { writes++; return 0, broken })})
		story := newStory(t, diamond(t), p.Observe)
		story.submit()
		pass(drawEvery)
		tellAfter := func() {
			story.start("w1", "ingest")
			fmt.Fprintln(p, "a warning")
			p.Waiting(nil, noWorker("gpu", 3))
			pass(drawEvery)
		}
		tellAfter()
		for range 2 {
			if err := p.Close(); !errors.Is(err, broken) {
				t.Errorf("Close says %v", err)
			}
		}
		tellAfter()
		if writes != 1 {
			t.Errorf("tried %d times to write to a broken pipe", writes)
		}
	})
}

func TestNothingIsShownBeforeTheRunBegins(t *testing.T) {
	for _, mode := range Modes {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			p := New(Config{Out: &out, Mode: mode})
			pass(time.Minute)
			if err := p.Close(); err != nil || out.Len() > 0 {
				t.Errorf("%s: shown %q, %v", mode, &out, err)
			}
		})
	}
}

// The run belongs to whoever calls Observe, and changes as soon as that returns.
func TestNobodyLooksAtTheRunBehindItsBack(t *testing.T) {
	for _, mode := range []Mode{TTY, Plain, JSON} {
		p := New(Config{Out: io.Discard, Mode: mode, Color: ColorAlways})
		var others sync.WaitGroup
		stop := make(chan struct{})
		for _, disturb := range []func(){
			func() { p.flush(display.draw) },
			func() { fmt.Fprintln(p, "a warning") },
			func() { p.Waiting(nil, noWorker("gpu", 3)) },
		} {
			others.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						disturb()
					}
				}
			})
		}
		story := newStory(t, wideSpec(t, 2000), p.Observe)
		story.submit()
		for i := range 2000 {
			name := fmt.Sprintf("s%d", i)
			story.start("w1", name)
			switch i % 10 {
			case 0:
				story.end("w1", journal.StageFailed, name, time.Second, journal.Record{Text: "no"})
			case 1:
				story.end("w1", journal.StageLost, name, 0, journal.Record{Text: "gone"})
			default:
				story.succeed("w1", name, time.Second, "ok")
			}
		}
		close(stop)
		others.Wait()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
