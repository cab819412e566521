package dag

import (
	"iter"
	"sort"
	"strconv"
	"strings"
)

// topology is the graph of a run with the instances that the run has added to it. It knows names
// and ids, and nothing of states.
type topology struct {
	graph      *Graph
	elements   map[StageID]uint32 // by stage that succeeded with a list: the length of the list
	expansions []expansion        // in order of base; some are replaced by later ones

	// current has, by mapped stage, the index of its expansion that was not replaced. A mapped
	// stage that waits for its first or its next expansion has none.
	current map[StageID]int

	// nextFirst has, by mapped stage whose instances were replaced, the first attempts of its next
	// instances, by index; 1 for instances beyond.
	nextFirst map[StageID][]Attempt
}

// expansion is the instances of a mapped stage: n ids from base on.
type expansion struct {
	mapped StageID
	base   StageID
	n      uint32
	first  []Attempt // of the instances, by index; 1 beyond
}

// Graph returns the graph that the run is of.
func (t *topology) Graph() *Graph { return t.graph }

// Stages yields the current stages, in order of id: all except instances that were replaced.
func (t *topology) Stages() iter.Seq[StageID] {
	return func(yield func(StageID) bool) {
		for s := range StageID(t.graph.Len()) {
			if !yield(s) {
				return
			}
		}

		for i, e := range t.expansions {
			if current, ok := t.current[e.mapped]; !ok || current != i {
				continue
			}
			for s := e.base; s < e.base+StageID(e.n); s++ {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// GraphStage returns the stage of the graph that s belongs to: the mapped stage of an instance, and
// a stage of the graph itself.
func (t *topology) GraphStage(s StageID) StageID {
	if int(s) < t.graph.Len() {
		return s
	}
	return t.expansionOf(s).mapped
}

// Instance returns which instance of which mapped stage s is. It is false for a stage of the graph.
func (t *topology) Instance(s StageID) (mapped StageID, index int, ok bool) {
	if int(s) < t.graph.Len() {
		return NoStage, 0, false
	}
	e := t.expansionOf(s)
	return e.mapped, int(s - e.base), true
}

// expansionOf returns the expansion that an instance belongs to.
func (t *topology) expansionOf(instance StageID) expansion {
	// Ids are given out in order, so the last expansion that starts at or before an id has it.
	after := sort.Search(len(t.expansions), func(i int) bool { return t.expansions[i].base > instance })
	return t.expansions[after-1]
}

// Instances returns the ids of a mapped stage's instances: n ids from base on. It returns false if
// the stage has no instances yet, or is not mapped.
func (t *topology) Instances(mapped StageID) (base StageID, n int, ok bool) {
	i, ok := t.current[mapped]
	if !ok {
		return 0, 0, false
	}
	return t.expansions[i].base, int(t.expansions[i].n), true
}

// expanded reports whether a mapped stage has its instances.
func (t *topology) expanded(mapped StageID) bool {
	_, ok := t.current[mapped]
	return ok
}

// Name returns the name of stage s. The name of an instance is that of its mapped stage and its
// index, such as "train[2]".
func (t *topology) Name(s StageID) string {
	mapped, index, ok := t.Instance(s)
	if !ok {
		return t.graph.Name(s)
	}
	return t.graph.Name(mapped) + "[" + strconv.Itoa(index) + "]"
}

// Lookup returns the stage with the given name, which may be an instance's. Of several instances
// with one name it returns the current one.
func (t *topology) Lookup(name string) (StageID, bool) {
	// A stage of the graph may have brackets in its name, so the whole name comes first.
	if s, ok := t.graph.Lookup(name); ok {
		return s, true
	}

	bracket := strings.LastIndexByte(name, '[')
	if bracket < 0 {
		return 0, false
	}

	// If there is no such mapped stage, its id is 0, and the comparison of names below fails. That
	// also refuses other spellings of a number, such as "train[02]".
	mapped, _ := t.graph.Lookup(name[:bracket])
	base, n, _ := t.Instances(mapped)
	index, err := strconv.Atoi(strings.TrimSuffix(name[bracket+1:], "]"))
	if err != nil || index < 0 || index >= n || t.Name(base+StageID(index)) != name {
		return 0, false
	}

	return base + StageID(index), true
}

// FirstAttempt returns the number of the first attempt of stage s: 1, or for an instance that
// replaced another one the number after the last attempt of that one.
func (t *topology) FirstAttempt(s StageID) Attempt {
	if int(s) < t.graph.Len() {
		return 1
	}
	e := t.expansionOf(s)
	if index := int(s - e.base); index < len(e.first) {
		return e.first[index]
	}
	return 1
}

// Current reports whether s is a stage of the graph, or an instance that was not replaced. It is
// false for an id that is not in use.
func (t *topology) Current(s StageID) bool {
	last := len(t.expansions) - 1
	switch {
	case int(s) < t.graph.Len():
		return true
	case last < 0 || s >= t.expansions[last].base+StageID(t.expansions[last].n):
		return false
	}

	base, n, _ := t.Instances(t.GraphStage(s))
	return s >= base && s < base+StageID(n)
}

// setElements records the length of the list that stage s succeeded with.
func (t *topology) setElements(s StageID, n uint32) {
	if n == 0 {
		return // most outputs are no lists, and an absent entry reads as 0
	}
	if t.elements == nil {
		t.elements = make(map[StageID]uint32)
	}
	t.elements[s] = n
}

// expand gives a mapped stage n instances, with ids from base on, and returns their first attempts.
func (t *topology) expand(mapped, base StageID, n uint32) []Attempt {
	if t.current == nil {
		t.current = make(map[StageID]int)
	}
	first := t.nextFirst[mapped]
	t.current[mapped] = len(t.expansions)
	t.expansions = append(t.expansions, expansion{mapped, base, n, first})
	return first
}

// replace makes the instances of a mapped stage no longer current. Its next instances start with
// the given attempts. Indices beyond these keep the attempts that were due for them.
func (t *topology) replace(mapped StageID, next []Attempt) {
	e := t.expansions[t.current[mapped]]
	if len(e.first) > len(next) {
		// This list was shorter than the one before it. The next one may be as long again.
		next = append(next, e.first[len(next):]...)
	}
	if t.nextFirst == nil {
		t.nextFirst = make(map[StageID][]Attempt)
	}
	t.nextFirst[mapped] = next
	delete(t.current, mapped)
}
