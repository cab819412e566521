package pipefile

import "fmt"

// kind is the type of a value.
type kind uint8

const (
	absent kind = iota
	null
	boolean
	number
	text
	list
	mapping
)

var kindNames = [...]string{"nothing", "null", "true or false", "a number", "text", "a list", "a mapping"}

func (k kind) String() string { return kindNames[k] }

// value is a part of a file, in the form that YAML and JSON have in common.
type value struct {
	kind  kind
	open  bool    // of a list in JSON: items is empty, and [source.each] reads them from the file
	depth uint16  // how deep the lists and mappings in it are nested
	at    uint32  // where it begins: the number of bytes before it
	text  string  // of text; of booleans and numbers as JSON has them
	items []value // of a list; of a mapping, its keys and values in turn
}

const (
	maxDepth = 100 // of lists and mappings

	// maxWeight bounds the memory that a file takes, with its aliases expanded. It is enough for
	// MaxSize bytes in 4 million values.
	maxWeight   = MaxSize + 4<<20*valueWeight
	valueWeight = 32

	// maxParts is how many stages and dependencies a file may have. Each takes some hundred bytes
	// until the pipeline is built.
	maxParts = 16_000_000

	// maxProblems is how many problems are kept.
	maxProblems = 1000
)

// problem is what is wrong at a place.
type problem struct {
	at, end             int // end is 0 for that of the word that begins there
	message, suggestion string
}

// source is a file that is being read, and what was found wrong with it.
type source struct {
	bytes    []byte
	problems []problem
	omitted  int // problems beyond maxProblems
	weight   int
	parts    int  // stages and dependencies
	cells    int  // of matrices
	tooDeep  bool // and reported
}

func (s *source) report(at int, format string, args ...any) { s.suggest(at, "", format, args...) }

// suggest reports a problem that may be solved by writing suggestion.
func (s *source) suggest(at int, suggestion, format string, args ...any) {
	s.add(problem{at: at, message: fmt.Sprintf(format, args...), suggestion: suggestion})
}

func (s *source) add(p problem) {
	if len(s.problems) == maxProblems {
		s.omitted++
		return
	}
	s.problems = append(s.problems, p)
}

// reportSecond reports what must be there only once, and where it is for the first time.
func (s *source) reportSecond(at, first int, format string, args ...any) {
	line := 0
	if len(s.problems) < maxProblems { // counting is slow
		line = s.line(first)
	}
	s.report(at, format+": first on line %d", append(args, line)...)
}

// weigh reports, once, that the file is more than memory should be spent on.
func (s *source) weigh(at, weight int) bool {
	before := s.weight
	s.weight += weight
	if before <= maxWeight && s.weight > maxWeight {
		s.report(at, "the file holds more values than are read, about 4 million (an alias counts as all that it stands for): build a pipeline of this size in Go")
	}
	return s.weight <= maxWeight
}

// collect makes a list or mapping.
func (s *source) collect(k kind, at int, items []value) value {
	v := value{kind: k, at: uint32(at), items: items}
	for i := range items {
		v.depth = max(v.depth, items[i].depth+1)
	}
	if v.depth <= maxDepth {
		return v
	}
	return s.deep(at)
}

// deep reports, once, what is nested too deep, and returns what is read instead.
func (s *source) deep(at int) value {
	if !s.tooDeep {
		s.tooDeep = true
		s.report(at, "lists and mappings are nested more than %d deep here", maxDepth)
	}
	return value{kind: null, at: uint32(at)}
}

// each calls do for each item of a list, one after the other, until it returns false. The items of
// an open list are read, and dropped, one by one: all of a large file, as values, would take some
// gigabytes. It returns false if it did not come to the end.
func (s *source) each(v value, do func(i int, item value) bool) bool {
	if !v.open {
		for i, item := range v.items {
			if !do(i, item) {
				return false
			}
		}
		return true
	}

	r := s.within(v)
	for i := 0; r.more(']'); i++ {
		before := s.weight
		item, ok := r.value()
		if !ok || !do(i, item) {
			return false
		}
		s.weight = before
	}

	return true
}

// members collects the keys and values of a mapping.
type members struct {
	items []value
	index map[string]int // where in items a key is, once there are many
}

func (m *members) find(key string) int {
	if m.index != nil {
		if i, ok := m.index[key]; ok {
			return i
		}
		return -1
	}

	for i := 0; i < len(m.items); i += 2 {
		if m.items[i].text == key {
			return i
		}
	}

	return -1
}

func (m *members) add(key, v value) {
	const many = 32
	m.items = append(m.items, key, v)
	switch {
	case m.index != nil:
		m.index[key.text] = len(m.items) - 2
	case len(m.items) >= many:
		m.index = make(map[string]int)
		for i := 0; i < len(m.items); i += 2 {
			m.index[m.items[i].text] = i
		}
	}
}

// addNew adds a key, or reports that the mapping has it already.
func (s *source) addNew(m *members, key, v value) {
	if i := m.find(key.text); i >= 0 {
		s.reportSecond(int(key.at), int(m.items[i].at), "key %s is there twice", quote(key.text))
		return
	}
	m.add(key, v)
}
