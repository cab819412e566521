package spec

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"time"

	"github.com/godags/godags/dag"
)

// Wait returns how long to wait after the given number of failures. Run, stage and attempt choose
// the jitter, so that every coordinator comes to the same time.
func (b Backoff) Wait(failures int, run string, stage dag.StageID, attempt dag.Attempt) time.Duration {
	b = b.OrDefault()
	wait := float64(b.Initial) * math.Pow(max(1, b.Factor), float64(failures-1))
	if b.Max > 0 {
		wait = min(wait, float64(b.Max))
	}

	h := fnv.New64a()
	h.Write([]byte(run))
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(stage)<<16|uint64(attempt)))
	mixed := h.Sum64() * 0x9e3779b97f4a7c15 // the last bytes alone do not reach the high bits
	share := float64(mixed>>11)/(1<<52) - 1 // from -1 to 1
	return time.Duration(min(wait*(1+b.Jitter*share), math.MaxInt64/2))
}
