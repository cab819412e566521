package queue

import (
	"encoding/binary"
	"errors"

	"github.com/godags/godags/dag"
)

// Exceptions are stages of a list whose first attempt is not the one that succeeded: pairs of the
// distance to the place in the list, and the attempt that succeeded, 0 if none did. Most lists have
// none.
type Exceptions []byte

// ExceptionsOf returns those of a list of n stages, of which attempt says which attempt of each
// succeeded.
func ExceptionsOf(n int, attempt func(i int) dag.Attempt) (e Exceptions) {
	last := -1
	for i := range n {
		if a := attempt(i); a != 1 {
			e = binary.AppendUvarint(e, uint64(i-last))
			e = binary.AppendUvarint(e, uint64(a))
			last = i
		}
	}

	return e
}

var errExceptions = errors.New("a task does not say which attempts succeeded")

// Attempts returns which attempts of a list of n stages succeeded, 0 where none did. It is nil if
// all are the first.
func (e Exceptions) Attempts(n int) ([]dag.Attempt, error) {
	if len(e) == 0 {
		return nil, nil
	}

	list := make([]dag.Attempt, n)
	for i := range list {
		list[i] = 1
	}

	at := -1
	for len(e) > 0 {
		distance, first := binary.Uvarint(e)
		if first <= 0 || distance == 0 || distance > uint64(n-1-at) {
			return nil, errExceptions
		}

		attempt, second := binary.Uvarint(e[first:])
		if second <= 0 || attempt > 1<<16-1 {
			return nil, errExceptions
		}

		at += int(distance)
		list[at] = dag.Attempt(attempt)
		e = e[first+second:]
	}

	return list, nil
}
