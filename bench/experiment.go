package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// sampler takes one sample.
type sampler func(context.Context) ([]figure, error)

// side is one system in an experiment.
type side struct {
	who    string
	lacks  string // why it cannot be measured here; empty if it can
	most   int    // samples; 0 for as many as are asked for
	sample sampler
}

// experiment is something that several systems do. They take turns, so that a change of the
// machine's load meets all of them.
type experiment struct {
	name  string
	sides []side
}

// measure adds samples to the report. A side that fails is not tried again.
func (e experiment) measure(ctx context.Context, r *report, progress io.Writer) {
	out := make([]bool, len(e.sides))

	// All sides in each turn, rather than all samples of a side: a machine that gets slower after
	// an hour would be held against the last side.
	for turn := range r.Repeat {
		for i, s := range e.sides {
			if s.lacks != "" {
				r.skip(s.who + ": " + s.lacks)
			}

			if s.lacks != "" || out[i] || s.most > 0 && turn >= s.most || ctx.Err() != nil {
				continue
			}

			figures, err := s.sample(ctx)
			switch {
			case errors.Is(err, errSlow):
				// The peer cannot do it in time, which is a result and no failure.
				r.skip(fmt.Sprintf("%s: %s: %v", s.who, e.name, errSlow))
			case err != nil:
				r.Failed = append(r.Failed, fmt.Sprintf("%s: %s: %v", s.who, e.name, err))
			default:
				r.add(s.who, figures)
			}

			out[i] = err != nil
			tell(progress, fmt.Sprintf("%d/%d", turn+1, r.Repeat), s.who, figures, err)
		}
	}
}

// tell prints a sample while the program is running.
func tell(out io.Writer, turn, who string, figures []figure, err error) {
	if err != nil {
		fmt.Fprintf(out, "%s  %s: %v\n", turn, who, err)
		return
	}
	for _, f := range figures {
		fmt.Fprintf(out, "%s  %-50s %-25s %10s %s\n", turn, f.What, who, number(f.value), f.Unit)
	}
}
