package journal

import (
	"strconv"
	"strings"
)

// Position is the place of an entry in the journal of a run. Readers resume from a position, and a
// decision or claim names the position that it follows from. Redis assigns positions in rising
// order.
type Position string

// Start is the position before the first entry of a journal.
const Start Position = ""

// After reports whether the position comes after another one.
func (p Position) After(q Position) bool {
	// Not by the text: as text, 9-5 comes after 10-0.
	ms1, n1 := p.split()
	ms2, n2 := q.split()
	return ms1 > ms2 || ms1 == ms2 && n1 > n2
}

// split returns the two numbers of a position: milliseconds, and a counter within the millisecond.
// Both are 0 for [Start].
func (p Position) split() (ms, n uint64) {
	// Errors are left out: the text comes from Redis, which writes numbers, or is empty.
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
