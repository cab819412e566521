package dag

import (
	"slices"
	"sort"
	"strconv"
	"strings"
)

// fan is the instances of a stage, its template: the ids from base on. The template waits for them,
// and is then executed itself.
type fan struct {
	template StageID
	base     StageID
	n        uint32
	first    []Attempt // of the instances, by index; 1 beyond
}

// Instance returns which instance of which template stage s is. It is false for a stage of the
// graph, which is returned itself.
func (r *Run) Instance(s StageID) (template StageID, index int, ok bool) {
	if int(s) < r.graph.Len() {
		return s, 0, false
	}
	f := r.fan(s)
	return f.template, int(s - f.base), true
}

// fan returns the fan of an instance.
func (r *Run) fan(s StageID) fan {
	return r.fans[sort.Search(len(r.fans), func(i int) bool { return r.fans[i].base > s })-1]
}

// Instances returns the ids of a template's instances: n from base on. It is false as long as the
// stage has none, or is no template.
func (r *Run) Instances(template StageID) (base StageID, n int, ok bool) {
	i, ok := r.fanOf[template]
	if !ok {
		return 0, 0, false
	}
	return r.fans[i].base, int(r.fans[i].n), true
}

// Name returns the name of stage s; that of an instance is its template's and its index, such as
// "train[2]".
func (r *Run) Name(s StageID) string {
	template, index, ok := r.Instance(s)
	if !ok {
		return r.graph.Name(s)
	}
	return r.graph.Name(template) + "[" + strconv.Itoa(index) + "]"
}

// Lookup returns the stage that counts with the given name, which may be an instance's.
func (r *Run) Lookup(name string) (StageID, bool) {
	if s, ok := r.graph.Lookup(name); ok {
		return s, true
	}

	open := strings.LastIndexByte(name, '[')
	if open < 0 {
		return 0, false
	}

	template, _ := r.graph.Lookup(name[:open])
	base, n, _ := r.Instances(template)
	index, err := strconv.Atoi(strings.TrimSuffix(name[open+1:], "]"))
	if err != nil || index < 0 || index >= n || r.Name(base+StageID(index)) != name {
		return 0, false
	}

	return base + StageID(index), true
}

// FirstAttempt returns the first attempt of stage s: 1, or for an instance that has taken the place of
// others the attempt that comes after theirs.
func (r *Run) FirstAttempt(s StageID) Attempt {
	if int(s) < r.graph.Len() {
		return 1
	}
	f := r.fan(s)
	if index := int(s - f.base); index < len(f.first) {
		return f.first[index]
	}
	return 1
}

func (r *Run) expanded(template StageID) bool {
	_, ok := r.fanOf[template]
	return ok
}

// keepCount keeps how many instances those stages have that go by stage s.
func (r *Run) keepCount(s StageID, n uint32) {
	if n == 0 {
		return
	}
	if r.elements == nil {
		r.elements = make(map[StageID]uint32)
	}
	r.elements[s] = n
}

// expand gives a stage whose trigger holds its instances, as soon as their number is known.
func (r *Run) expand(template, source StageID, commands []Command) []Command {
	if r.state[source] != Succeeded || r.verdict[template] != undecided {
		return commands
	}

	base := len(r.state)
	n := int(r.elements[source])
	if r.fanOf == nil {
		r.fanOf = make(map[StageID]int)
	}

	r.fanOf[template] = len(r.fans)
	r.fans = append(r.fans, fan{template, StageID(base), uint32(n), r.resumed[template]})
	r.state, r.attempt = grow(r.state, n, Ready), grow(r.attempt, n, 1)
	copy(r.attempt[base:], r.resumed[template])
	r.waiting, r.verdict = grow(r.waiting, n, 0), grow(r.verdict, n, undecided)
	if r.cause != nil {
		r.cause = grow(r.cause, n, 0)
	}

	r.counts[Ready] += n
	if r.waiting[template] = uint32(n); n == 0 {
		return r.open(template, commands)
	}

	commands = slices.Grow(commands, n)
	for s := base; s < base+n; s++ {
		commands = r.due(StageID(s), commands)
	}
	return commands
}

func grow[T any](list []T, n int, value T) []T {
	list = slices.Grow(list, n)
	for range n {
		list = append(list, value)
	}
	return list
}

// right reports whether instance s is as it should be for its template: that its own condition
// skips it is no fault.
func (r *Run) right(s StageID) bool {
	return r.state[s] == Succeeded || r.declined(s)
}

// collect tells a template that its instance s is at its end.
func (r *Run) collect(template, s StageID, commands []Command) []Command {
	held := r.held(template)
	switch r.waiting[template]--; {
	case held && r.waiting[template] == 0:
		return r.due(template, commands)
	case held:
		return commands
	case !r.right(s):
		return r.doom(template, r.causeOf(s), commands)
	case r.waiting[template] == 0 && r.state[template] == Waiting:
		return r.open(template, commands)
	}

	return commands
}

// replace lets the instances of a template count no more. They are all terminal.
//
// The next instances have the same names, so their attempts continue where these end: run, stage
// and attempt name one execution, which has one outcome.
func (r *Run) replace(template StageID) {
	f := r.fans[r.fanOf[template]]
	if r.resumed == nil {
		r.resumed = make(map[StageID][]Attempt)
	}

	resumed := grow(slices.Clone(f.first), max(0, int(f.n)-len(f.first)), 1)
	for i := range f.n {
		s := f.base + StageID(i)
		resumed[i] = r.attempt[s]
		if r.begun(s) {
			resumed[i]++
		}
	}

	r.resumed[template] = resumed

	for _, state := range r.state[f.base : f.base+StageID(f.n)] {
		r.counts[state]--
	}

	r.replaced += int(f.n)
	delete(r.fanOf, template)
}
