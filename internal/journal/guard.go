package journal

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/guard"
)

// Guard returns a guard that holds while one of the attempts is claimed with the token. Several
// attempts are a stage of a chain and the stages before it.
func (j *Journal) Guard(run RunID, token Token, attempts ...AttemptID) guard.Guard {
	g := guard.Guard{Key: j.key(run, "fence")}
	for _, a := range attempts {
		// A stage of a chain is executed before it is claimed. Until then, the claim of a stage
		// before it is what shows that its worker was not replaced.
		claim := append([]byte{byte(a.Attempt >> 8), byte(a.Attempt), cellClaimed}, token[:]...)
		g.Cells = append(g.Cells, guard.Cell{Offset: int64(a.Stage) * cellSize, Want: string(claim)})
	}
	return g
}

// cellSize is the size of a fence cell in bytes. The fence has one cell for each stage, by its ID:
//
//	byte   0   1     2       3   4   5   6   7
//	     +-------+-------+-------------------+
//	     |attempt| state |       token       |
//	     +-------+-------+-------------------+
//
// The attempt is the newest that was claimed or decided, in big-endian order. The state is 0,
// cellClaimed, cellEnded or cellTerminal. The token is that of the claim, and 0 once a decision has
// voided it. A fence that ends before a cell has zeros there.
const cellSize = 8

// GuardRemoval returns a guard that holds while no other process has started to remove the run.
func (j *Remover) GuardRemoval(d *Deletion) guard.Guard {
	// [Remover.MarkDeleted] puts this cell in place of the fence. Its attempt is 0, so no claim has
	// the same bytes: attempts count from 1.
	mark := append(make([]byte, cellSize-len(d.token)), d.token[:]...)
	return guard.Guard{Key: j.key(d.Run, "fence"), Cells: []guard.Cell{{Want: string(mark)}}}
}

// Holds reports whether a guard holds now. It is for stores that cannot check a guard and write in
// one step: the answer may be out of date when it arrives.
func (j *Journal) Holds(ctx context.Context, g guard.Guard) (bool, error) {
	cells := make([]*redis.StringCmd, len(g.Cells))
	_, err := j.rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, c := range g.Cells {
			cells[i] = pipe.GetRange(ctx, g.Key, c.Offset, c.Offset+int64(len(c.Want))-1)
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("look up a claim: %w", err)
	}

	for i, c := range g.Cells {
		if cells[i].Val() == c.Want {
			return true, nil
		}
	}

	return false, nil
}
