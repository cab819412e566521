package queue

import (
	"encoding/binary"
	"errors"

	"github.com/godags/godags/dag"
)

// SucceededAttempts says which attempt of each stage of a list succeeded. Mostly that is the first
// one, so only the other stages are encoded. Each is a pair of varints: the distance from the
// previous such stage, and the attempt that succeeded, or 0 if none did.
//
//	attempts of four stages   encoded
//	1 1 1 1                   (nothing)
//	1 2 1 0                   2 2  2 0
//	3 1 1 1                   1 3
type SucceededAttempts []byte

// EncodeSucceeded encodes the succeeded attempts of a list of n stages. The function attempt
// returns which attempt of a stage succeeded, or 0 if none did.
func EncodeSucceeded(n int, attempt func(i int) dag.Attempt) (e SucceededAttempts) {
	// The place before the first is -1, so that no distance is 0.
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

var errSucceeded = errors.New("a task does not say which attempts succeeded")

// Attempts returns which attempts of a list of n stages succeeded, 0 where none did. It is nil if
// the first attempt of each stage succeeded.
func (e SucceededAttempts) Attempts(n int) ([]dag.Attempt, error) {
	if len(e) == 0 {
		return nil, nil
	}

	list := make([]dag.Attempt, n)
	for i := range list {
		list[i] = 1
	}

	at := -1
	for len(e) > 0 {
		// The bytes were signed by a coordinator that may have a fault: a distance beyond the list
		// must not crash the worker.
		distance, first := binary.Uvarint(e)
		if first <= 0 || distance == 0 || distance > uint64(n-1-at) {
			return nil, errSucceeded
		}

		attempt, second := binary.Uvarint(e[first:])
		if second <= 0 || attempt > 1<<16-1 {
			return nil, errSucceeded
		}

		at += int(distance)
		list[at] = dag.Attempt(attempt)
		e = e[first+second:]
	}

	return list, nil
}
