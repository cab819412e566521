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

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/runs"
	"github.com/godags/godags/internal/term"
)

// read runs a command that looks into Redis and prints what it finds. A signal ends it in order: a
// Redis of our own is not left running.
func (p Program) read(c *ucli.Context, do func(context.Context, *engine.Session, *bufio.Writer) error) error {
	ctx, stop := untilSignal(c.Context)
	defer stop()
	session, err := p.connect(ctx, c, slog.New(slog.NewTextHandler(p.Err, nil)))
	if err == nil {
		err = p.print(func(out *bufio.Writer) error { return do(ctx, session, out) })
		err = errors.Join(err, session.Close())
	}

	var sig interrupted
	if errors.As(context.Cause(ctx), &sig) {
		return &exitError{code: sig.code()}
	}

	return err
}

// readRun is read for a command about a run, which the first of at most so many arguments names.
func (p Program) readRun(c *ucli.Context, most int, do func(context.Context, *runs.Service, runs.Summary, *bufio.Writer) error) error {
	word, err := runWord(c, most)
	if err != nil {
		return err
	}

	return p.read(c, func(ctx context.Context, s *engine.Session, out *bufio.Writer) error {
		service := runs.New(s)
		found, err := p.findRun(ctx, c, service, word)
		if err != nil {
			return err
		}
		return do(ctx, service, found, out)
	})
}

// untilSignal returns a context that the first Ctrl-C or SIGTERM ends. Another one ends the process
// at once.
func untilSignal(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case s := <-signals:
			signal.Stop(signals)
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

// print writes to standard output through a buffer. Whoever reads it may stop early, as head does:
// that is no error.
func (p Program) print(do func(*bufio.Writer) error) error {
	defer surviveBrokenPipes()()
	out := bufio.NewWriterSize(p.Out, 64<<10)
	err := do(out)
	if flushErr := out.Flush(); err == nil && flushErr != nil {
		err = fmt.Errorf("print the result: %w", flushErr)
	}
	return heard(err)
}

// onTerminal reports whether a person sees what is printed.
func (p Program) onTerminal() bool {
	return term.IsTerminal(p.Out)
}

// columns is the width of the terminal on which a person sees what is printed; 0 if it is not
// known, or there is none.
func (p Program) columns() int {
	width, _, _ := term.Size(p.Out)
	return width
}

// printJSON writes a result for programs: JSON in a line, in which nothing can do harm to a
// terminal.
func printJSON(out io.Writer, result any) error {
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	_, err = out.Write(append(term.EscapeJSON(text), '\n'))
	return err
}
