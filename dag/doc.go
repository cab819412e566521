// Package dag holds graphs of stages, and the state machine of a run of such a graph.
//
// It is pure: events in, commands out. Nothing here knows of clocks, goroutines, locks, I/O,
// randomness, or the order of a map, so that the same events always give the same commands in the
// same order, on every machine.
//
// A [Graph] says what comes after what. It is made by a [Builder], which reports everything that is
// wrong at once, or from its stored form by [FromDeps]. It never changes, and any number of runs
// and goroutines may share it. A [Run] is where the stages of one run stand. It points to its
// graph; the graph knows nothing of it.
//
// # States of a stage
//
//	             the trigger holds               started
//	+---------+  [instances right] +-------+ ---------> +---------+
//	| waiting | -----------------> | ready |            | running |
//	+---------+                    +-------+ <--------- +---------+
//	     |                             |        lost      ^  |  |
//	     |                             |          started |  |  | failed, and
//	     |                             |                  |  |  | another attempt
//	     |                             |                  |  |  v is left
//	     |                             |              +----------+
//	     |                             |              | retrying |
//	     |                             |              +----------+
//	     |                             | skipped         |   | skipped, cancelled
//	     |                             | cancelled       |   | succeeded *, failed *
//	     | skipped                     | succeeded *     |   |
//	     | cancelled                   | failed *        | succeeded, failed, skipped by itself, cancelled
//	     v                             v                 v   v
//	+---------------------------------------------------------------+
//	|  terminal:   succeeded     failed     skipped     cancelled   |
//	+---------------------------------------------------------------+
//	                             | the finished run is reopened:
//	                             v waiting, and at once what follows from that
//
//	* the report of an attempt whose start was not seen
//
// Words on arrows are events. Lost, in ready and retrying as in running, makes the next attempt
// due. What an event does in each state, drawn or not, is one cell of a table in apply.go: it moves
// the stage, or is old news and changes nothing, or cannot happen while the journal is whole, which
// is an error.
//
// # Rules
//
// A [Rule] says when a stage is executed ([Trigger]), how often it is tried again, and whether it
// has instances. Such a stage, a template, has a dependency whose success says how many: one for
// each element of a list. When the template's trigger holds and there is a list, Apply itself makes
// the instances: stages with the ids that follow, which depend on nothing else and go by the
// template's rule. The template waits for them, whatever its trigger, and is then executed itself,
// to gather what they did. An instance that its own condition skips is as right as one that
// succeeded. So is, for a stage whose rule says so ([Rule].Gather), a dependency that skipped
// itself. A stage that gathers and is not to be executed comes to its end when all that it would
// have gathered is at its end: what comes after it, such as a clean-up, finds nothing of it
// running.
//
// # What is always true
//
//   - A stage is ready, running, retrying, succeeded or failed only if its trigger held. It is
//     never dispatched before.
//   - A terminal state is final, until the finished run is reopened for the stage, or for one
//     upstream of it.
//   - The number of a stage's attempt never falls. What an older attempt reports changes nothing.
//   - A skip names its cause: a stage that failed or was cancelled, or one whose own condition or
//     trigger was not met, which may be the stage itself. What has several causes is skipped for
//     the first.
//   - What cannot be executed any more is decided at once, down to the end of the graph, except
//     where a trigger has to wait and see; and commanded at once, unless it gathers.
//   - Once the run is being cancelled nothing is dispatched but stages with the trigger all_done.
//     Once a failure has stopped the run nothing is but those and stages with any_failed. Stages
//     that run are the workers' to stop.
//   - [Skip] and [Cancel] are decisions: they take effect when they come back as events. If a
//     worker claims the stage before, the claim holds.
//   - [Run.Pending] is what was commanded last about each stage, and has not come back as an event.
//   - [Finish] is commanded when the last stage becomes terminal.
//   - Instances that a reopened run replaces keep their ids and states, and count no more: see
//     [Run.Stages].
//   - After an error the run is as it was.
//
// # How a run is driven
//
// A driver carries out commands, makes facts of what happens by writing them to a journal, and
// applies what it reads there:
//
//	run := dag.NewRun(graph, dag.Rules{})
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
// A driver that dies in the middle leaves nothing behind that matters: the next one replays the
// journal, and [Run.Pending] tells it what is still to be done.
package dag
