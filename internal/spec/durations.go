package spec

import (
	"sync/atomic"
	"time"

	"github.com/godags/godags/dag"
)

// Durations is what was learned of how long stages of each kind take. It is safe for concurrent use.
type Durations struct {
	spec   *Spec
	byKind []atomic.Int64 // nanoseconds; 0 until a stage of the kind has succeeded
}

// NewDurations returns durations that know nothing.
func NewDurations(s *Spec) *Durations { return &Durations{s, make([]atomic.Int64, len(s.kinds))} }

// Of returns how long a stage is expected to take, and false if no stage of its kind has succeeded yet.
func (d *Durations) Of(id dag.StageID) (time.Duration, bool) {
	took := d.byKind[d.spec.KindOf(id)].Load()
	return time.Duration(took), took > 0
}

// Learn takes a longer time at its word, and a shorter one only little by little: expecting too little makes others wait.
func (d *Durations) Learn(id dag.StageID, took time.Duration) {
	cell := &d.byKind[d.spec.KindOf(id)]
	before := cell.Load()
	cell.Store(max(1, int64(took), before-(before-int64(took))/4))
}
