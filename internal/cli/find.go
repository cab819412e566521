package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/godags/godags/internal/runs"
)

// runHelp explains the argument RUN.
const runHelp = "RUN is a run ID, a unique prefix of one, or latest."

// readRunHelp is runHelp for commands that only read.
const readRunHelp = "RUN is a run ID, a unique prefix of one, or latest, which is the default."

// runWord returns the first argument, which names a run. The command takes at most so many
// arguments.
func (i invocation) runWord(most int) (string, error) {
	c := i.c
	switch {
	// A command that changes a run must be told which one.
	case !c.Args().Present() && strings.HasPrefix(c.Command.ArgsUsage, "["):
		return runs.Latest, nil
	case !c.Args().Present():
		return "", usageError("%s needs a RUN: its ID, a prefix of it, or latest", c.Command.Name)
	case c.NArg() > most:
		return "", usageError("%s takes %s, but got %d arguments: %.100q", c.Command.Name, c.Command.ArgsUsage, c.NArg(), c.Args().Slice())
	}
	return c.Args().First(), nil
}

// findRun returns the run that a word names. If there is none, the error says what to do, and has
// the exit code of wrong usage.
func (i invocation) findRun(ctx context.Context, s *runs.Service, word string) (runs.Summary, error) {
	found, err := s.Find(ctx, word)

	var unknown *runs.UnknownError
	var ambiguous *runs.AmbiguousError
	var invalid *runs.InvalidIDError
	switch {
	// The service does not know command lines, so the hints are added here. People type the name of
	// a stage in place of the run.
	case errors.As(err, &unknown) && i.c.Command.Name == "logs" && i.c.NArg() == 1 && !unknown.None && unknown.Near == "":
		return found, usageError("%w: %s lists the runs; for a stage of the newest run use %s", err, i.hint("runs", nil), i.hint("logs", []string{runs.Latest, word}))
	case errors.As(err, &unknown):
		return found, &exitError{exitUsage, fmt.Errorf("%w%s", err, i.listHint(unknown))}
	// These say by themselves what to do.
	case errors.As(err, &ambiguous), errors.As(err, &invalid), errors.Is(err, runs.ErrNotKept):
		return found, &exitError{exitUsage, err}
	}

	// What these print may be of any run. The other commands begin with the ID of the run.
	if name := i.c.Command.Name; err == nil && !i.c.Args().Present() && (name == "logs" || name == "events") {
		fmt.Fprintf(i.Err, "run %s, the newest\n", found.ID)
	}

	return found, err
}

// listHint says where runs are listed.
func (i invocation) listHint(unknown *runs.UnknownError) string {
	switch {
	case unknown.None:
		return fmt.Sprintf(": there are no runs yet; start one with %s", i.hint("run", nil))
	case unknown.Near != "":
		return fmt.Sprintf(" (%s lists all)", i.hint("runs", nil))
	}
	return fmt.Sprintf(": %s lists the runs", i.hint("runs", nil))
}
