package cli

import (
	"context"
	"errors"
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/runs"
)

// runHelp says what commands take for a RUN.
const runHelp = "RUN is a run ID, a unique prefix of one, or latest."

// runWord returns the word for a run, the first of a command's most arguments.
func runWord(c *ucli.Context, most int) (string, error) {
	switch {
	case !c.Args().Present():
		return "", usageError("%s needs a RUN: its ID, a prefix of it, or latest", c.Command.Name)
	case c.NArg() > most:
		return "", usageError("%s takes %s, but got %d arguments: %.100q", c.Command.Name, c.Command.ArgsUsage, c.NArg(), c.Args().Slice())
	}
	return c.Args().First(), nil
}

// findRun returns the run that a word names. If there is none, the error says what to do, and the
// exit code is that of a wrong usage.
func (p Program) findRun(ctx context.Context, c *ucli.Context, s *runs.Service, word string) (runs.Summary, error) {
	found, err := s.Find(ctx, word)

	var unknown *runs.UnknownError
	var ambiguous *runs.AmbiguousError
	var invalid *runs.InvalidIDError
	switch {
	case errors.As(err, &unknown):
		return found, &exitError{exitUsage, fmt.Errorf("%w%s", err, p.listHint(c, unknown))}
	case errors.As(err, &ambiguous), errors.As(err, &invalid), errors.Is(err, runs.ErrNotKept):
		return found, &exitError{exitUsage, err}
	}

	return found, err
}

// listHint says where the runs are listed.
func (p Program) listHint(c *ucli.Context, unknown *runs.UnknownError) string {
	switch {
	case unknown.None:
		return fmt.Sprintf(": there are no runs yet; start one with %s", p.hint(c, "run", nil))
	case unknown.Near != "":
		return fmt.Sprintf(" (%s lists all)", p.hint(c, "runs", nil))
	}
	return fmt.Sprintf(": %s lists the runs", p.hint(c, "runs", nil))
}
