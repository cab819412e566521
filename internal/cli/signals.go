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

// interrupted is the cause of a context that a signal has cancelled.
type interrupted struct {
	signal   os.Signal
	handOver bool // a coordinator that serves takes over the run
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

// notify is [signal.Notify] without the signals that this process ignores since its start. nohup
// ignores SIGHUP. A shell without job control ignores SIGINT for background processes, because a
// Ctrl-C on its terminal is not meant for them.
func notify(c chan<- os.Signal, signals ...os.Signal) {
	for _, s := range signals {
		if !signal.Ignored(s) { // which Go reports for SIGHUP and SIGINT only
			signal.Notify(c, s)
		}
	}
}

// notifyContext is [signal.NotifyContext] in the same way.
func notifyContext(ctx context.Context, signals ...os.Signal) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, slices.DeleteFunc(signals, signal.Ignored)...)
}

// killTime is how long the run has to finish after a second signal. Redis may be unreachable, or a
// stage that cleans up may still be running.
const killTime = 2 * time.Second

// cancelOnSignal returns a context that a first signal cancels. A second signal kills the running
// stages, and ends the process soon after. A third one ends the process at once.
func (f *foreground) cancelOnSignal(o engine.RunOptions, hurry chan<- struct{}) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(f.c.Context)
	// Two, so that a second Ctrl-C is kept while the first is being handled.
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
				// A lost terminal does not mean that the user wants to stop the run.
				why := interrupted{last, last == syscall.SIGHUP && canHandOver(ctx, f.session, o)}
				f.screen.announceStop(why, o.Grace)
				cancel(why)
			case 2:
				f.screen.say("%s again: killing the running stages", signalName(last))
				// Closed and not sent to: the engine may have returned, and a send would block.
				close(hurry)
				enough = time.After(killTime)
			default:
				f.screen.announceExit()
				// Deferred calls are skipped on purpose: each of them may wait for Redis.
				os.Exit(interrupted{signal: last}.code())
			}
		}
	}()

	return ctx, func() {
		// From here on a signal has its default effect, since the run has finished.
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// canHandOver reports whether a run can continue without this process: it has no workers here, and
// a coordinator serves that will adopt it.
func canHandOver(ctx context.Context, session *engine.Session, o engine.RunOptions) bool {
	// Workers of this process end with it, and no other worker may have the handlers.
	if !session.External() || o.Concurrency > 0 || o.Children > 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	served, err := session.Served(ctx)
	return err == nil && served
}

// surviveBrokenPipes makes writes to a closed pipe or terminal fail until the returned function is
// called. Without it, the SIGPIPE of such a write ends the process.
func surviveBrokenPipes() (stop func()) {
	broken := make(chan os.Signal, 1)
	// The channel is never read. Notify alone changes the default effect of the signal.
	signal.Notify(broken, syscall.SIGPIPE)
	return func() { signal.Stop(broken) }
}

// ignoreClosed drops the error of a write to a closed pipe or terminal. A reader may stop early, as
// head does.
func ignoreClosed(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) {
		return nil
	}
	return err
}
