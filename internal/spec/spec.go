// Package spec is the frozen pipeline: what a run was submitted with, in the form in which
// coordinator and workers share it.
package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/godags/godags/dag"
)

// Kind is how a stage is executed. Stages that are executed alike share one.
type Kind struct {
	// name of the handler; empty for a join point, which does nothing
	Task   string          `json:"task,omitempty"`
	Params json.RawMessage `json:"params,omitempty"` // JSON object
	Queue  string          `json:"queue,omitempty"`  // empty for DefaultQueue
	// of a cell of a matrix, a JSON object; else nil
	Item  json.RawMessage `json:"item,omitempty"`
	Index int             `json:"index,omitempty"` // of that cell, from 0
	// the dependencies are the cells of a matrix: the output is a list of theirs
	Gather bool `json:"gather,omitempty"`
	Policy
}

// DefaultQueue is where stages go that name no queue.
const DefaultQueue = "default"

// Spec is a frozen pipeline. It must not be changed.
type Spec struct {
	Name   string
	Values string // where values live: "" (Redis), or a URL such as "disk:/data"
	Graph  *dag.Graph
	Settings
	kinds  []Kind
	kindOf []uint32 // per stage, an index of kinds
	rules  dag.Rules
}

// Kind returns how stage s is executed. The caller must not change it.
func (s *Spec) Kind(id dag.StageID) *Kind { return &s.kinds[s.kindOf[id]] }

// Kinds returns the distinct ways in which stages are executed. The caller must not change the
// slice.
func (s *Spec) Kinds() []Kind { return s.kinds }

// KindOf returns the index in [Spec.Kinds] of how stage s is executed.
func (s *Spec) KindOf(id dag.StageID) int { return int(s.kindOf[id]) }

// Queue returns the name of the queue that stage s goes to.
func (s *Spec) Queue(id dag.StageID) string {
	if q := s.Kind(id).Queue; q != "" {
		return q
	}
	return DefaultQueue
}

// Behind returns the only dependency of a stage that is executed if, and as soon as, that one has
// succeeded. It is false for any other stage.
func (s *Spec) Behind(id dag.StageID) (dag.StageID, bool) {
	if int(id) >= s.Graph.Len() {
		return 0, false // an instance
	}

	deps := s.Graph.Deps(id)
	kind := s.Kind(id)
	if len(deps) != 1 || kind.Trigger != dag.AllSuccess || kind.ForEach != "" || kind.Gather {
		return 0, false
	}

	return deps[0], true
}

// Builder collects the stages of a pipeline.
type Builder struct {
	Name   string
	Values string
	Settings

	graph  dag.Builder
	kinds  []Kind
	kindOf []uint32
	index  map[string]uint32 // of kinds by what they say
}

// Grow makes room for n more stages with edges dependencies between them.
func (b *Builder) Grow(n, edges int) { b.graph.Grow(n, edges) }

// Add adds a stage. Whatever is wrong with its name and dependencies is reported by
// [Builder.Build].
func (b *Builder) Add(name string, after []string, kind Kind) dag.StageID {
	b.kindOf = append(b.kindOf, b.intern(kind))
	return b.graph.Add(name, after...)
}

func (b *Builder) intern(k Kind) uint32 {
	if b.index == nil {
		b.index = make(map[string]uint32)
	}

	key := fmt.Sprintf("%q %q %s", k.Task, k.Queue, k.Params)
	if k.Item != nil {
		key += fmt.Sprintf(" %d %s", k.Index, k.Item)
	}

	if k.Gather {
		key += " gather"
	}

	if !reflect.ValueOf(k.Policy).IsZero() {
		key += fmt.Sprintf(" %#v", k.Policy) // with its texts in quotes
	}

	i, ok := b.index[key]
	if !ok {
		i = uint32(len(b.kinds))
		b.kinds = append(b.kinds, k)
		b.index[key] = i
	}

	return i
}

// Build freezes the pipeline. An error about names or dependencies is a [*dag.InvalidError].
func (b *Builder) Build() (*Spec, error) {
	name := dag.CheckName(b.Name)
	if name != nil {
		name = fmt.Errorf("pipeline: %w", name)
	}

	g, err := b.graph.Build()
	if err != nil {
		err = fmt.Errorf("pipeline %q: %w", b.Name, err)
	}

	if err = errors.Join(name, err); err != nil {
		return nil, err
	}

	s := &Spec{Name: b.Name, Values: b.Values, Graph: g, Settings: b.Settings, kinds: b.kinds, kindOf: b.kindOf}
	return s, s.bind()
}
