package main

import (
	"errors"
	"fmt"
)

// Units.
const (
	stagesPerSecond = "stages/s"
	ms              = "ms"
	mib             = "MiB"
)

// What figures say.
const (
	chainHop   = "chain of 200: a hop"
	hopAlone50 = "chain of 200, each stage alone: a hop, p50"
	hopAlone99 = "chain of 200, each stage alone: a hop, p99"
	fanRate    = "fan 1 → 5,000 → 1"
	layerRate  = "50 layers of 100, 3 parents each"

	millionTime        = "1,000 layers of 1,000: from submission to end"
	millionRate        = "1,000 layers of 1,000"
	millionCommand     = "1,000 layers of 1,000: the whole command"
	millionCoordinator = "1,000 layers of 1,000: memory of the coordinator"
	millionRedis       = "1,000 layers of 1,000: memory of Redis"

	shellRate    = "500 commands `true`, 10 layers of 50"
	embeddedRate = "embedded: 50 layers of 100"
	functionRate = "50 layers of 100, each stage a Go function"
	straggle     = "straggler: makespan / critical path"

	pickUp50  = "pick-up by an idle worker, p50"
	pickUp99  = "pick-up by an idle worker, p99"
	firstTime = "start of a worker to its first stage"

	idleCommands = "an idle worker: commands sent to Redis"
	idleAll      = "an idle worker: the same with those inside scripts"
	idleCores    = "an idle worker: processor"

	fileYAML = "10,000 stages in YAML: parse, validate, submit"
	fileJSON = "10,000 stages in JSON: parse, validate, submit"
)

// costOf is the name of the figure that says what a stage costs in a pipeline of n.
func costOf(n int) string { return "cost of a stage, " + thousands(float64(n)) + " stages" }

// costSizes are numbers of stages; the last is measured only if everything is.
var costSizes = []int{1_000, 10_000, 100_000, largest}

const (
	largest   = 1_000_000
	costWidth = 100 // of the layers, in all sizes
)

var errNotSeen = errors.New("no stage was seen to start")

var (
	noop = stage{Task: "noop"}
	call = stage{Run: []string{"true"}}

	warmUp     = pipeline{"warm.json", 22, fan(20)}
	chain200   = pipeline{"chain.json", 200, chain(200)}
	fan5000    = pipeline{"fan.json", 5_002, fan(5_000)}
	layers5000 = pipeline{"layered.json", 5_001, layered(50, 100, 3, noop)}
	shell500   = pipeline{"shell.json", 501, layered(10, 50, 3, call)}
	stragglers = pipeline{"straggler.json", 21, straggler(2, 10)}
	pauses     = pipeline{"pauses.json", 150, naps(150, "20ms")}
	yaml10000  = pipeline{"file.yaml", 10_001, layered(100, 100, 3, noop)}
	json10000  = pipeline{"file.json", 10_001, layered(100, 100, 3, noop)}
)

const (
	criticalPath = 1.05 // seconds: of five times 200 and 10 ms
	asynqTasks   = 20_000
	manySlots    = 10 // more than one is faster for Asynq, whose workers wait for Redis
	asynqHops    = 200
	asynqSamples = 5 // of the time until an idle worker begins, each of which takes a second or two
	mostLong     = 3 // samples of what takes long
)

// experiments are all that there are, in the order of the table.
func (l *lab) experiments(peers []peer, full bool) []experiment {
	list := []experiment{
		{"chain", append([]side{
			{who: ours, sample: l.timed(chain200, each(chainHop, 200))},
			{who: oneByOne, sample: l.timed(chain200, each(chainHop, 200), "--batch=1", "--no-fuse")},
			{who: rawAsynq, sample: l.one(chainHop, ms, asynqHop)},
		}, l.sides(peers, chain200, each(chainHop, 200))...)},

		{"hops alone", []side{{who: ours, sample: l.aloneHops(chain200)}}},

		{"fan", append(l.flat(fanRate, fan5000), l.sides(peers, fan5000, rate(fanRate, fan5000.stages))...)},
		{"layered", append(l.flat(layerRate, layers5000), l.sides(graphs(peers), layers5000, rate(layerRate, layers5000.stages))...)},

		{"shell", []side{
			{who: ours, sample: l.runs(shell500, func(o outcome) []figure { return rate(shellRate, shell500.stages)(o.wall.Seconds()) })},
			ninja.side(l, shell500, rate(shellRate, shell500.stages)), gnuMake.side(l, shell500, rate(shellRate, shell500.stages)),
		}},

		{"functions", []side{{who: ours, sample: l.goFunctions(rate(functionRate, layers5000.stages))}}},
		{"embedded", []side{{who: ours, sample: l.embedded(layers5000, rate(embeddedRate, layers5000.stages))}}},

		{"straggler", []side{{who: ours, sample: l.timed(stragglers, func(seconds float64) []figure {
			return []figure{{straggle, "x", seconds / criticalPath}}
		})}}},

		{"pick-up", []side{{who: ours, sample: l.pickUps(pauses)}, {who: rawAsynq, sample: l.sample(asynqPickUps)}}},
		{"start", []side{{who: ours, sample: l.one(firstTime, ms, firstStage)}, {who: rawAsynq, sample: l.one(firstTime, ms, asynqFirstTask)}}},

		{"idle", []side{
			{who: ours, sample: l.idle(func(w *world) ([]*process, error) { return w.startWorkers(2) })},
			{who: rawAsynq, sample: l.idle(asynqIdle)},
		}},

		{"file", []side{{who: ours, sample: l.runs(yaml10000, submission(fileYAML))}, {who: ours, sample: l.runs(json10000, submission(fileJSON))}}},
	}
	return append(list, l.scale(full)...)
}

// scale is what pipelines of many stages cost.
func (l *lab) scale(full bool) []experiment {
	var sides []side
	for _, n := range costSizes {
		s := side{who: ours, sample: l.driven(n/costWidth, costWidth, cost(n))}
		// It takes minutes, so fewer samples are enough.
		if n == largest {
			s.most = mostLong
			if !full {
				s.lacks = fmt.Sprintf("pipelines of %s stages: say -full or BENCH_FULL=1", thousands(largest))
			}
		}

		sides = append(sides, s)
	}

	if !full {
		return []experiment{{"scale", sides}}
	}

	return []experiment{{"scale", sides}, {"million", []side{
		{who: ours, most: mostLong, sample: l.driven(largest/1_000, 1_000, million)},
		{who: rawAsynq, most: mostLong, sample: l.one(millionRate, stagesPerSecond, asynqFlat(1, asynqTasks))},
		{who: rawAsynqMany, most: mostLong, sample: l.one(millionRate, stagesPerSecond, asynqFlat(manySlots, asynqTasks))},
	}}}
}

// flat is the sides of godags, and of raw Asynq with as many tasks that do not depend on each
// other.
func (l *lab) flat(what string, p pipeline) []side {
	return []side{
		{who: ours, sample: l.timed(p, rate(what, p.stages))},
		{who: oneByOne, sample: l.timed(p, rate(what, p.stages), "--batch=1", "--no-fuse")},
		{who: rawAsynq, sample: l.one(what, stagesPerSecond, asynqFlat(1, asynqTasks))},
		{who: rawAsynqMany, sample: l.one(what, stagesPerSecond, asynqFlat(manySlots, asynqTasks))},
	}
}

func (l *lab) sides(peers []peer, p pipeline, read reading) (sides []side) {
	for _, peer := range peers {
		sides = append(sides, peer.side(l, p, read))
	}
	return sides
}
