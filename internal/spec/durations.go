package spec

import (
	"sync/atomic"
	"time"

	"github.com/godags/godags/dag"
)

// Durations is what was learned of how long stages of each kind take. It is safe for concurrent
// use.
type Durations struct {
	spec    *Spec
	byKind  []atomic.Int64         // nanoseconds; 0 until a stage of the kind has succeeded
	byQueue map[string]*experience // with the first stages of kinds
}

// experience is what was learned from stages of which nothing was known before. Where each stage is
// a separate kind, there are no others.
type experience struct {
	took atomic.Int64 // nanoseconds
	// stages that were short, since the last one that was long; half of them are forgotten when one
	// was in between
	streak atomic.Int64
}

const (
	short       = 2 * time.Millisecond
	long        = 25 * time.Millisecond
	streakShare = 8 // a guess may cover one stage for so many that were short
)

// NewDurations returns durations that know nothing.
func NewDurations(s *Spec) *Durations {
	d := &Durations{s, make([]atomic.Int64, len(s.kinds)), make(map[string]*experience)}
	for _, k := range s.kinds {
		if d.byQueue[k.Queue] == nil {
			d.byQueue[k.Queue] = new(experience)
		}
	}
	return d
}

// Of returns how long a stage is expected to take, and false if no stage of its kind has succeeded
// yet.
func (d *Durations) Of(id dag.StageID) (time.Duration, bool) {
	took := d.byKind[d.spec.KindOf(id)].Load()
	return time.Duration(took), took > 0
}

// Guess returns what may be expected of a stage whose kind is unknown, going by others of its queue
// that were unknown too, and how many stages may be done on such guesses before one of them has
// proved right: the more have been short in a row, the more.
func (d *Durations) Guess(id dag.StageID) (took time.Duration, most int) {
	x := d.byQueue[d.spec.Kind(id).Queue]
	return time.Duration(x.took.Load()), int(x.streak.Load() / streakShare)
}

// Learn takes a longer time at its word, and a shorter one only little by little: expecting too
// little makes others wait.
func (d *Durations) Learn(id dag.StageID, took time.Duration) {
	if learn(&d.byKind[d.spec.KindOf(id)], took) {
		return
	}

	x := d.byQueue[d.spec.Kind(id).Queue]
	learn(&x.took, took)
	switch {
	case took <= short:
		x.streak.Add(1)
	case took <= long:
		x.streak.Store(x.streak.Load() / 2)
	default:
		x.streak.Store(0)
	}
}

// learn reports whether something was known before.
func learn(cell *atomic.Int64, took time.Duration) bool {
	before := cell.Load()
	cell.Store(max(1, int64(took), before-(before-int64(took))/4))
	return before > 0
}
