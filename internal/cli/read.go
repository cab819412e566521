package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/term"
)

// read executes a command that reads from Redis and prints what it finds. A signal ends it in
// order, so that it stops a private Redis that it has started.
func (i invocation) read(do func(context.Context, *engine.Session, *bufio.Writer) error) error {
	ctx, stop := untilSignal(i.c.Context)
	defer stop()

	// Not returned at once on an error: after a signal the error is only that of the signal.
	session, err := i.connect(ctx, slog.New(slog.NewTextHandler(i.Err, nil)), 0)
	if err == nil {
		err = i.print(func(out *bufio.Writer) error { return do(ctx, session, out) })
		err = errors.Join(err, session.Close())
	}

	// The errors of a command that was interrupted only tell that it was interrupted.
	var sig interrupted
	if errors.As(context.Cause(ctx), &sig) {
		return &exitError{code: sig.code()}
	}

	return err
}

// readRun is read for a command about the run that the first argument names. The command takes at
// most so many arguments.
func (i invocation) readRun(most int, do func(context.Context, *runs.Service, runs.Summary, *bufio.Writer) error) error {
	word, err := i.runWord(most)
	if err != nil {
		return err
	}

	return i.read(func(ctx context.Context, s *engine.Session, out *bufio.Writer) error {
		service := runs.New(s)
		found, err := i.findRun(ctx, service, word)
		if err != nil {
			return err
		}
		return do(ctx, service, found, out)
	})
}

// untilSignal returns a context that the first Ctrl-C or SIGTERM cancels. The second one ends the
// process at once.
func untilSignal(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	// Notify drops a signal for which the channel has no room.
	signals := make(chan os.Signal, 1)
	notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case s := <-signals:
			signal.Stop(signals) // which restores the default: the next signal ends the process
			cancel(interrupted{signal: s})
		case <-ctx.Done():
		}
	}()

	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
		<-done
	}
}

// print writes to standard output through a buffer. A reader that stops early, as head does, is not
// an error.
func (p Program) print(do func(*bufio.Writer) error) error {
	defer surviveBrokenPipes()()
	// Events and lists have many short lines: 64 KiB is one write for some hundreds of them.
	out := bufio.NewWriterSize(p.Out, 64<<10)
	err := do(out)
	// Flushed after an error too: what was found before helps the user.
	if flushErr := out.Flush(); err == nil && flushErr != nil {
		err = fmt.Errorf("print the result: %w", flushErr)
	}
	return ignoreClosed(err)
}

// onTerminal reports whether standard output is a terminal.
func (p Program) onTerminal() bool {
	return term.IsTerminal(p.Out)
}

// columns returns the width of the terminal. It is 0 if it is unknown, or without a terminal.
func (p Program) columns() int {
	width, _, _ := term.Size(p.Out)
	return width
}

// printJSON writes a result for programs as one line of JSON. Control characters are escaped, since
// the output may end up on a terminal.
func printJSON(out io.Writer, result any) error {
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	_, err = out.Write(append(term.EscapeJSON(text), '\n'))
	return err
}
