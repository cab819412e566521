package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"github.com/godags/godags/internal/engine"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/nearest"
)

// runHelp says what commands take for a RUN.
const runHelp = "RUN is the id of a run, a beginning of it that no other run shares, or latest."

// searched is the number of runs, the newest, among which the beginning of an id is looked for.
const searched = 1000

// errNotKept says why there can be no runs to look at.
var errNotKept = usageError("no redis-server on PATH: runs of earlier commands were not kept; install redis-server or give --redis")

// runWord returns the word for a run, the first of a command's most arguments.
func runWord(c *ucli.Context, most int) (string, error) {
	switch {
	case !c.Args().Present():
		return "", usageError("%s needs a RUN: its id, the beginning of it, or latest", c.Command.Name)
	case c.NArg() > most:
		return "", usageError("%s takes %s, but got %d arguments: %.100q", c.Command.Name, c.Command.ArgsUsage, c.NArg(), c.Args().Slice())
	}
	return c.Args().First(), nil
}

// findRun returns the run that a word names: see [runHelp]. A whole id counts before all else but the word for the newest run. Runs whose time is over
// are removed first.
func (p Program) findRun(ctx context.Context, c *ucli.Context, s *engine.Session, word string) (journal.Summary, error) {
	if !s.Keeps() {
		return journal.Summary{}, errNotKept
	}
	id, err := journal.ParseRunID(word)
	if err != nil {
		return journal.Summary{}, &exitError{exitUsage, err}
	}
	s.Sweep(ctx, "")
	if word != journal.Latest {
		found, err := s.Journal.Summary(ctx, id)
		if !errors.Is(err, journal.ErrGone) {
			return found, err
		}
	}
	runs, err := s.Journal.Runs(ctx, searched, nil)
	if err != nil {
		return journal.Summary{}, err
	}
	if len(runs) > 0 && word == journal.Latest {
		return runs[0], nil
	}
	var matches []journal.Summary
	for _, r := range runs {
		if strings.HasPrefix(string(r.Run), word) {
			matches = append(matches, r)
		}
	}
	switch len(matches) {
	case 1:
		return matches[0], nil
	case 0:
		return journal.Summary{}, p.unknownRun(c, word, runs)
	}
	return journal.Summary{}, ambiguousRun(word, matches)
}

func (p Program) unknownRun(c *ucli.Context, word string, runs []journal.Summary) error {
	if len(runs) == 0 {
		return usageError("unknown run %q: there are no runs yet; start one with `%s`", word, p.hint(c, "run"))
	}
	names := []string{journal.Latest}
	for _, r := range runs {
		names = append(names, string(r.Run))
	}
	if near := nearest.Name(word, names); near != "" {
		return usageError("unknown run %q: did you mean %s? (`%s` lists all)", word, near, p.hint(c, "runs"))
	}
	return usageError("unknown run %q: `%s` lists the runs", word, p.hint(c, "runs"))
}

func ambiguousRun(word string, matches []journal.Summary) error {
	const most = 10
	var b strings.Builder
	for i, r := range matches {
		if i == most {
			fmt.Fprintf(&b, "\n  ... and %d more", len(matches)-most)
			break
		}
		fmt.Fprintf(&b, "\n  %s  %s", r.Run, r.State)
	}
	return usageError("%q is the beginning of %d run ids: write more of it%s", word, len(matches), b.String())
}
