package execution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/queue"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/version"
)

// pipeline is a spec, and what the worker has learned about its stages.
type pipeline struct {
	spec      *spec.Spec
	durations *spec.Durations
	// stages for whose elements others have instances; true if some of those are commands
	lists      map[dag.StageID]bool
	notices    []bool // by kind: see [noticesAbsence]
	conditions conditions
}

func newPipeline(sp *spec.Spec) *pipeline {
	p := &pipeline{spec: sp, durations: spec.NewDurations(sp), lists: make(map[dag.StageID]bool)}
	kinds := sp.Kinds()
	p.notices = make([]bool, len(kinds))
	for i := range kinds {
		p.notices[i] = noticesAbsence(&kinds[i])
	}

	// Commands get an element in an environment variable, which cannot hold all that JSON can.
	for i, rule := range sp.Rules().Kinds {
		if rule.Each != nil {
			p.lists[*rule.Each] = p.lists[*rule.Each] || kinds[i].Task == "command"
		}
	}

	return p
}

// accepts reports whether an item makes sense for the spec.
func (p *pipeline) accepts(i queue.Item) bool {
	n := p.spec.Graph.Len()
	if int(i.Stage) < n {
		return i.Count == 0 || int(i.First) >= n && i.Count <= dag.MaxInstances && p.spec.Kind(i.Stage).ForEach != ""
	}
	// The index cannot be larger than the distance to the first ID of an instance.
	return int(i.Of) < n && i.Index >= 0 && i.Index <= int(i.Stage)-n && p.spec.Kind(i.Of).ForEach != ""
}

// noticesAbsence reports whether stages of a kind are executed, and in another way, if a dependency
// has no output. All other stages fail. The command "report" after the
// function "load", which may have no output, is executed without that input: it notices the
// absence. So "load" signs the absence. Without the signature, a process that can write to Redis
// could delete the output unnoticed.
func noticesAbsence(k *spec.Kind) bool {
	return k.Task == "command" || k.When != "" || k.Gather || k.Trigger != dag.AllSuccess
}

// signsAbsence reports whether a stage of the graph records that it has no output.
func (p *pipeline) signsAbsence(s dag.StageID) bool {
	return slices.ContainsFunc(p.spec.Graph.Dependents(s), func(d dag.StageID) bool {
		return p.notices[p.spec.KindOf(d)]
	})
}

// pipelines keeps the specs of the runs that a worker met last.
type pipelines struct {
	journal *journal.Journal
	mu      sync.Mutex // held while a spec is loaded: that must not happen twice at once
	order   []string   // digests, oldest first
	known   map[string]*pipeline
}

// maxPipelines is how many specs a worker keeps: a few, since large ones take 100 MB.
const maxPipelines = 16

func newPipelines(j *journal.Journal) *pipelines {
	return &pipelines{journal: j, known: make(map[string]*pipeline)}
}

// get returns the spec of a run. The digest is the one that the run must have.
func (s *pipelines) get(ctx context.Context, run journal.RunID, digest string) (*pipeline, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if l := s.known[digest]; l != nil {
		return l, nil
	}

	encoded, recorded, err := s.journal.Spec(ctx, run)
	if err != nil {
		return nil, err
	}
	// The digest is in the signed task, so nothing but the submitted spec is executed.
	if recorded != digest {
		return nil, fmt.Errorf("run %s: %w", run, journal.ErrDigest)
	}

	sp, err := spec.Decode(encoded)
	if errors.Is(err, version.ErrNewer) {
		return nil, fmt.Errorf("run %s: %w", run, err) // another worker may read it
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w: %w", run, journal.ErrDigest, err)
	}

	// The oldest goes, not the one used last: batches of a run follow each other closely.
	if len(s.order) == maxPipelines {
		delete(s.known, s.order[0])
		s.order = s.order[1:]
	}

	l := newPipeline(sp)
	s.order = append(s.order, digest)
	s.known[digest] = l
	return l, nil
}
