package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/godags/godags/internal/engine"
)

// interrupted is why a run is left or cancelled by a signal.
type interrupted struct {
	signal   os.Signal
	handOver bool // a coordinator that serves goes on with the run
}

func (e interrupted) Error() string { return "cancelled by " + signalName(e.signal) }

func (e interrupted) Is(target error) bool { return e.handOver && target == engine.ErrHandOver }

func signalName(s os.Signal) string {
	switch s {
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGHUP:
		return "SIGHUP"
	}
	return "Ctrl-C"
}

func (e interrupted) code() int {
	switch e.signal {
	case syscall.SIGTERM:
		return exitTerminated
	case syscall.SIGHUP:
		return exitHungUp
	}
	return exitInterrupted
}

// notify is [signal.Notify], but leaves alone what the caller of this program ignores: nohup
// ignores SIGHUP, and a shell without job control SIGINT for what it starts in the background,
// since a Ctrl-C on its terminal is not for that. Of other signals Go does not say so.
func notify(c chan<- os.Signal, signals ...os.Signal) {
	for _, s := range signals {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
}

// notifyContext is [signal.NotifyContext] in the same way.
func notifyContext(ctx context.Context, signals ...os.Signal) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, slices.DeleteFunc(signals, signal.Ignored)...)
}

// forceTime is how long the end of a run may take that is ended by force: Redis may be away, or a
// stage that cleans up at work.
const forceTime = 2 * time.Second

// cancelOnSignal returns a context that a first signal ends. A second one ends by force what does
// not stop, and the process soon after; a third one ends the process at once.
func (p Program) cancelOnSignal(ctx context.Context, session *engine.Session, screen *screen, o engine.RunOptions, hurry chan<- struct{}) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		var last os.Signal
		var enough <-chan time.Time
		for n := 1; ; n++ {
			select {
			case last = <-signals:
			case <-enough:
			case <-done:
				return
			}

			switch n {
			case 1:
				why := interrupted{last, last == syscall.SIGHUP && canHandOver(ctx, session, o)}
				screen.stopping(why, o.Grace)
				cancel(why)
			case 2:
				screen.say("%s again: ending by force what still runs", signalName(last))
				close(hurry)
				enough = time.After(forceTime)
			default:
				screen.leave()
				os.Exit(interrupted{signal: last}.code())
			}
		}
	}()

	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// canHandOver reports whether a run can go on without us: all its workers are elsewhere, and a
// coordinator serves that will adopt it.
func canHandOver(ctx context.Context, session *engine.Session, o engine.RunOptions) bool {
	if !session.External() || o.Concurrency > 0 || o.Children > 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	served, err := session.Served(ctx)
	return err == nil && served
}

// surviveBrokenPipes lets writes to a pipe or terminal that nobody reads any more fail, rather than
// end the process, until the returned function is called.
func surviveBrokenPipes() (stop func()) {
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	return func() { signal.Stop(broken) }
}

// heard drops the error of a write that nobody can see any more: whoever reads may stop early, as
// head does, and a terminal may be closed.
func heard(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) {
		return nil
	}
	return err
}
