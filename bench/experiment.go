package main

import (
	"context"
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

// experiment is something that several systems do. They take turns, so that a change of the machine's mood meets all of them.
type experiment struct {
	name  string
	sides []side
}

// measure adds samples to the report. A side that fails is not tried again.
func (e experiment) measure(ctx context.Context, r *report, progress io.Writer) {
	failed := make(map[string]bool)
	for turn := range r.Repeat {
		for _, s := range e.sides {
			switch {
			case s.lacks != "":
				if turn == 0 {
					r.Skipped = append(r.Skipped, fmt.Sprintf("%s: %s: %s", e.name, s.who, s.lacks))
				}
				continue
			case s.most > 0 && turn >= s.most, failed[s.who], ctx.Err() != nil:
				continue
			}
			figures, err := s.sample(ctx)
			if err != nil {
				failed[s.who] = true
				r.Failed = append(r.Failed, fmt.Sprintf("%s: %s: %v", e.name, s.who, err))
				fmt.Fprintf(progress, "%s: %s: %v\n", e.name, s.who, err)
				continue
			}
			r.add(s.who, figures)
			for _, f := range figures {
				fmt.Fprintf(progress, "%d/%d  %-40s %-28s %10s %s\n", turn+1, r.Repeat, f.What, s.who, number(f.value), f.Unit)
			}
		}
	}
}
