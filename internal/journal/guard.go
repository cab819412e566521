package journal

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/godags/godags/internal/guard"
)

// Guard returns what holds while one of the attempts is claimed with the token. The stage of a
// chain may be executed before it is claimed: the worker that executes it has the claim of one
// before it.
func (j *Journal) Guard(run RunID, token Token, attempts ...AttemptID) guard.Guard {
	g := guard.Guard{Key: j.key(run, "fence")}
	for _, a := range attempts {
		claim := append([]byte{byte(a.Attempt >> 8), byte(a.Attempt), cellClaimed}, token[:]...)
		g.Cells = append(g.Cells, guard.Cell{Offset: int64(a.Stage) * cellSize, Want: string(claim)})
	}
	return g
}

// cellSize is the size of a fence cell in bytes.
const cellSize = 8

// GuardRemoval returns what holds while no other process has begun to remove the run.
func (j *Remover) GuardRemoval(c *Deletion) guard.Guard {
	// no claim: attempts count from 1
	mark := append(make([]byte, cellSize-len(c.token)), c.token[:]...)
	return guard.Guard{Key: j.key(c.Run, "fence"), Cells: []guard.Cell{{Want: string(mark)}}}
}

// Holds reports whether a guard holds now.
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
