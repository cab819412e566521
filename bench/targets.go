package main

import "math"

// target is what a figure should be.
type target struct {
	text  string
	limit float64
	most  bool // the limit is the most that it may be, not the least
	unit  string
	value func(*report) (float64, bool)
}

// judgement says whether a target was met.
type judgement struct{ text, measured, verdict string }

// unknown is the verdict on a target whose figures were not measured.
const unknown = "-"

// pydagsLayered is how many stages a second of the layered shape pydags executes on two such cores.
// It was measured by itself.
const pydagsLayered = 11_000

var targets = []target{
	{"50 layers of 100: at least 4 times raw Asynq", 4, false, "x", against(layerRate, rawAsynq)},
	{"50 layers of 100: at least 4 times raw Asynq with 10 slots for each worker", 4, false, "x", against(layerRate, rawAsynqMany)},
	{"50 layers of 100: at least 4 times the 11,000 stages/s of pydags", 4, false, "x", func(r *report) (float64, bool) {
		v, ok := median(layerRate, ours)(r)
		return v / pydagsLayered, ok
	}},
	{"fan of 5,000: at least 8 times raw Asynq", 8, false, "x", against(fanRate, rawAsynq)},
	{"fan of 5,000: at least 8 times raw Asynq with 10 slots for each worker", 8, false, "x", against(fanRate, rawAsynqMany)},
	{"chain of 200: a hop takes at most 0.06 ms", 0.06, true, ms, median(chainHop, ours)},
	{"chain of 200, each stage alone: half of the hops take at most 0.6 ms", 0.6, true, ms, median(hopAlone50, ours)},
	{"pick-up by an idle worker: p50 at most 0.5 ms", 0.5, true, ms, median(pickUp50, ours)},
	{"pick-up by an idle worker: p99 at most 5 ms", 5, true, ms, median(pickUp99, ours)},
	{"1,000,001 stages, 3,000,000 edges: at most 15 s from submission to end", 15, true, "s", median(millionTime, ours)},
	{"the same: the coordinator needs at most 1 GiB", 1024, true, mib, median(millionCoordinator, ours)},
	{"the same: Redis needs at most 200 MB", 200, true, "MB", median(millionRedis, ours)},
	{"a stage of a large pipeline costs at most 1.5 times as much as one of 1,000", 1.5, true, "x", growth},
	{"500 commands: at least 0.9 times ninja -j2", 0.9, false, "x", against(shellRate, ninja.who())},
	{"embedded, 50 layers of 100: at least 5,000 stages/s", 5_000, false, stagesPerSecond, median(embeddedRate, ours)},
	{"straggler: makespan at most 1.05 times the critical path", 1.05, true, "x", median(straggle, ours)},
	{"an idle worker sends at most 5 commands/s to Redis", 5, true, "commands/s", median(idleCommands, ours)},
	{"an idle worker needs at most 0.5 % of a core", 0.5, true, "%", median(idleCores, ours)},
	{"10,000 stages in YAML: at most 500 ms to parse, validate and submit", 500, true, ms, median(fileYAML, ours)},
	{"10,000 stages in JSON: at most 500 ms to parse, validate and submit", 500, true, ms, median(fileJSON, ours)},
}

func median(what, who string) func(*report) (float64, bool) {
	return func(r *report) (float64, bool) {
		s, ok := r.find(what, who)
		if !ok {
			return 0, false
		}
		return s.median(), true
	}
}

// against divides the median of godags by that of another system.
func against(what, who string) func(*report) (float64, bool) {
	return func(r *report) (float64, bool) {
		mine, ok := r.find(what, ours)
		theirs, also := r.find(what, who)
		if !ok || !also {
			return 0, false
		}
		return ratio(mine, theirs), true
	}
}

// growth is what a stage costs in the size where it costs most, compared with the smallest.
func growth(r *report) (most float64, ok bool) {
	small, ok := r.find(costOf(costSizes[0]), ours)
	// Against the smallest size, where a cost that grows with the pipeline does not show yet.
	for _, n := range costSizes[1:] {
		if s, found := r.find(costOf(n), ours); found && ok {
			most = math.Max(most, ratio(s, small))
		}
	}
	return most, most > 0
}

// judge says which targets were met.
func (r *report) judge() (list []judgement) {
	for _, t := range targets {
		j := judgement{t.text, "not measured", unknown}
		if v, ok := t.value(r); ok {
			j.measured, j.verdict = number(v)+" "+t.unit, "missed"
			if t.most && v <= t.limit || !t.most && v >= t.limit {
				j.verdict = "met"
			}
		}

		list = append(list, j)
	}
	return list
}
