package worker

import (
	"context"
	"fmt"
	"sync"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
)

// loaded is a spec, and what the worker has learned about its stages.
type loaded struct {
	spec      *spec.Spec
	durations *spec.Durations
	// stages for whose elements others have instances; true if some of those are commands
	lists      map[dag.StageID]bool
	notices    []bool // by kind: see [noticesAbsence]
	conditions conditions
}

func newLoaded(sp *spec.Spec) *loaded {
	l := &loaded{spec: sp, durations: spec.NewDurations(sp), lists: make(map[dag.StageID]bool)}
	kinds := sp.Kinds()
	l.notices = make([]bool, len(kinds))
	for i := range kinds {
		l.notices[i] = noticesAbsence(&kinds[i])
	}

	for i, rule := range sp.Rules().Kinds {
		if rule.Each != nil {
			l.lists[*rule.Each] = l.lists[*rule.Each] || kinds[i].Task == "command"
		}
	}

	return l
}

// specs keeps the specs of the runs that a worker met last.
type specs struct {
	journal *journal.Journal
	mu      sync.Mutex // held while a spec is loaded: that must not happen twice at once
	order   []string   // digests, oldest first
	known   map[string]*loaded
}

// maxSpecs is how many specs a worker keeps: a few, since large ones take 100 MB.
const maxSpecs = 16

func newSpecs(j *journal.Journal) *specs {
	return &specs{journal: j, known: make(map[string]*loaded)}
}

// get returns the spec of a run. The digest is the one that the run must have.
func (s *specs) get(ctx context.Context, run journal.RunID, digest string) (*loaded, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if l := s.known[digest]; l != nil {
		return l, nil
	}

	encoded, recorded, err := s.journal.Spec(ctx, run)
	if err != nil {
		return nil, err
	}
	if recorded != digest {
		return nil, fmt.Errorf("run %s: %w", run, journal.ErrDigest)
	}

	sp, err := spec.Decode(encoded)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w: %w", run, journal.ErrDigest, err)
	}

	if len(s.order) == maxSpecs {
		delete(s.known, s.order[0])
		s.order = s.order[1:]
	}

	l := newLoaded(sp)
	s.order = append(s.order, digest)
	s.known[digest] = l
	return l, nil
}
