package journal

import (
	"strconv"
	"strings"
)

// Position is the place of an entry in the journal of a run: what a reader has read, and what a
// decision or claim follows from. Redis makes them and never goes back.
type Position string

// Start is the position before the first entry of a journal.
const Start Position = ""

// After reports whether the position comes after another one.
func (p Position) After(q Position) bool {
	ms1, n1 := p.split()
	ms2, n2 := q.split()
	return ms1 > ms2 || ms1 == ms2 && n1 > n2
}

// split takes a position apart: milliseconds, and a number within them. They are numbers because
// positions come from Redis; [Start] has zeros.
func (p Position) split() (ms, n uint64) {
	first, second, _ := strings.Cut(string(p), "-")
	ms, _ = strconv.ParseUint(first, 10, 64)
	n, _ = strconv.ParseUint(second, 10, 64)
	return ms, n
}

// streamID returns the position as Redis expects it for reading.
func (p Position) streamID() string {
	if p == Start {
		return "0"
	}
	return string(p)
}
