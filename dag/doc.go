// Package dag holds graphs of stages, and the state machine of a run of such a graph.
//
// It is pure: events in, commands out. Nothing here knows of clocks, goroutines, locks, I/O, randomness, or the order of a map, so
// that the same events always give the same commands in the same order, on every machine.
//
// A [Graph] says what comes after what. It is made by a [Builder], which reports everything that is wrong at once, or from its
// stored form by [FromDeps]. It never changes, and any number of runs and goroutines may share it. A [Run] is where the stages of
// one run stand. It points to its graph; the graph knows nothing of it.
//
// # States of a stage
//
//	             the last dependency             started
//	+---------+       succeeded       +-------+ ---------> +---------+
//	| waiting | --------------------> | ready |            | running |
//	+---------+                       +-------+ <--------- +---------+
//	     |                                |        lost         |
//	     | skipped                        | skipped             | succeeded
//	     | cancelled                      | cancelled           | failed
//	     |                                | succeeded *         | cancelled
//	     |                                | failed *            |
//	     v                                v                     v
//	+----------------------------------------------------------------+
//	|  terminal:   succeeded     failed     skipped     cancelled    |
//	+----------------------------------------------------------------+
//
//	* the report of an attempt whose start was not seen
//
// Words on arrows are events. Lost, in ready as in running, makes the next attempt due. What an event does in each state, drawn or
// not, is one cell of a table in run.go: it moves the stage, or is old news and changes nothing, or cannot happen while the
// journal is whole, which is an error.
//
// # What is always true
//
//   - A stage is ready, running, succeeded or failed only if all of its dependencies succeeded. It is never dispatched before.
//   - A terminal state is final.
//   - The number of a stage's attempt never falls. What an older attempt reports changes nothing.
//   - A stage that failed, was skipped or was cancelled dooms what is downstream of it and nothing else. What is doomed twice is
//     skipped for the first cause.
//   - Once the run is being cancelled nothing is dispatched. Stages that run are the workers' to stop.
//   - [Skip] and [Cancel] are decisions: they take effect when they come back as events. If a worker claims the stage before,
//     the claim holds.
//   - [Run.Pending] is what was commanded last about each stage, and has not come back as an event.
//   - [Finish] is commanded when the last stage becomes terminal.
//   - After an error the run is as it was.
//
// # How a run is driven
//
// A driver carries out commands, makes facts of what happens by writing them to a journal, and applies what it reads there:
//
//	run := dag.NewRun(graph)
//	for event := range journal.read() { // how far the run is: nothing for a new one
//		if _, err := run.Apply(event, nil); err != nil {
//			return err // the journal is damaged
//		}
//	}
//	commands := run.Pending(nil)
//	for !run.Finished() {
//		carryOut(commands) // must be harmless when done twice
//		commands, err = run.Apply(journal.next(), commands[:0])
//		...
//	}
//
// A driver that dies in the middle leaves nothing behind that matters: the next one replays the journal, and [Run.Pending] tells it
// what is still to be done.
package dag
