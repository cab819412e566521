package pipefile

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

// value is a part of a file, in a form that YAML and JSON share.
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

	// maxParts is the highest number of stages and dependencies in a file. Each takes some hundred
	// bytes until the spec is built.
	maxParts = 16_000_000
)

// source is the text of a file, which is read into values.
type source struct {
	reporter
	weight  int  // of the values that were read; see maxWeight
	tooDeep bool // that values are nested too deep has been reported
}

// weigh adds the weight of a value, and reports, once, that the file has too many for the memory.
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
	// The depth is kept in each value, since an alias may put a deep value at any place.
	v := value{kind: k, at: uint32(at), items: items}
	for i := range items {
		v.depth = max(v.depth, items[i].depth+1)
	}
	if v.depth <= maxDepth {
		return v
	}
	return s.deep(at)
}

// deep reports, once, values that are nested too deep, and returns null to be used instead.
func (s *source) deep(at int) value {
	if !s.tooDeep {
		s.tooDeep = true
		s.report(at, "lists and mappings are nested more than %d deep here", maxDepth)
	}
	return value{kind: null, at: uint32(at)}
}

// each calls do for each item of a list until do returns false. It returns false if it stopped
// before the last item.
func (s *source) each(v value, do func(i int, item value) bool) bool {
	if !v.open {
		for i, item := range v.items {
			if !do(i, item) {
				return false
			}
		}
		return true
	}

	// Items of an open list are read and dropped one by one. All values of a large file would take
	// some gigabytes.
	r := s.within(v)
	for i := 0; r.more(']'); i++ {
		before := s.weight
		item, ok := r.value()
		if !ok || !do(i, item) {
			return false
		}
		s.weight = before // the item is garbage now
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
	// Most mappings have few keys, for which a scan is faster than a map.
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
