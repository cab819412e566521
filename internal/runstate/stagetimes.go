package runstate

import (
	"time"

	"github.com/godags/godags/dag"
)

// stageTimes records in which order the attempts of stages began and ended, and how long they took.
//
// The order is that of the records of the journal, by their numbers, from 1. Times would not do:
// all records of an entry have the same.
type stageTimes struct {
	stages []stageTime // by stage, for those that have one

	// earlier has the durations of failed attempts that another attempt followed, and of the waits
	// after them.
	earlier map[dag.StageID]time.Duration
}

// stageTime is the execution of one stage. A run may have a million, so that it is kept small.
type stageTime struct {
	began uint32 // number of the record that started the first attempt; 0: none was started
	ended uint32 // number of the record that ended the stage; 0: it has not ended
	took  uint32 // duration of the attempt that ended the stage, in units of tick
}

// tick is the resolution of durations.
const tick = 10 * time.Microsecond

// newStageTimes returns the times of a run whose graph has n stages, before its first record.
func newStageTimes(n int) stageTimes {
	return stageTimes{stages: make([]stageTime, n), earlier: make(map[dag.StageID]time.Duration)}
}

// begin notes that an attempt of a stage started.
func (t *stageTimes) begin(s dag.StageID, record uint32) {
	// Retries belong to the same execution: it begins with the first attempt.
	if times := t.at(s); times.began == 0 {
		times.began = record
	}
}

// end notes that a stage ended, with an attempt of the given duration, or 0 if no attempt did.
func (t *stageTimes) end(s dag.StageID, record uint32, took time.Duration) {
	times := t.at(s)
	times.ended = record
	if took > 0 {
		// An attempt of less than a tick still shows that the stage was executed.
		times.took = uint32(max(1, min(took/tick, 1<<32-1)))
	}
}

// addEarlier adds to the time before the last attempt of a stage.
func (t *stageTimes) addEarlier(s dag.StageID, d time.Duration) { t.earlier[s] += d }

// reset forgets the execution of a stage.
func (t *stageTimes) reset(s dag.StageID) {
	*t.at(s) = stageTime{}
	delete(t.earlier, s)
}

// at returns the times of a stage, for changes.
func (t *stageTimes) at(s dag.StageID) *stageTime {
	// The ids of instances follow those of the graph, and are first known here.
	if missing := int(s) + 1 - len(t.stages); missing > 0 {
		t.stages = append(t.stages, make([]stageTime, missing)...)
	}
	return &t.stages[s]
}

// of returns the times of a stage; zero if nothing is known of it.
func (t *stageTimes) of(s dag.StageID) stageTime {
	if int(s) >= len(t.stages) {
		return stageTime{}
	}
	return t.stages[s]
}

// last returns the duration of the attempt that ended a stage; 0 if none did.
func (t *stageTimes) last(s dag.StageID) time.Duration { return time.Duration(t.of(s).took) * tick }

// total returns the duration of all attempts of a stage and of the waits between them; 0 if it was
// not executed.
func (t *stageTimes) total(s dag.StageID) time.Duration { return t.last(s) + t.earlier[s] }

// ended returns the number of the record with which a stage ended; 0 if it has not.
func (t *stageTimes) ended(s dag.StageID) uint32 { return t.of(s).ended }

// began returns the number of the record with which a stage that has ended began. A stage that was
// not executed began when it ended; the result is 0 for one that has not ended.
func (t *stageTimes) began(s dag.StageID) uint32 {
	times := t.of(s)
	if times.began == 0 {
		return times.ended
	}
	return min(times.began, times.ended)
}
