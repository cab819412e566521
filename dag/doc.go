// Package dag holds graphs of stages, and the state machine of a run of such a graph.
//
// The package is pure: events go in, commands come out. It uses no clock, goroutine, lock, I/O,
// randomness or order of a map. The same events give the same commands in the same order on every
// machine.
//
// A [Graph] holds stages and their dependencies. A [Builder] makes it and reports all problems at
// once; [FromDeps] makes it from its stored form. A graph is immutable, and runs and goroutines may
// share it. A [Run] is the state of one run of a graph.
//
// # States of a stage
//
//	             the trigger holds
//	             (an instance is
//	             ready from the first)           started
//	+---------+                    +-------+ ---------> +---------+
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
//	     | cancelled                   | failed *        | succeeded, failed,
//	     |                             |                 | skipped by itself, cancelled
//	     v                             v                 v   v
//	+---------------------------------------------------------------+
//	|  terminal:   succeeded     failed     skipped     cancelled   |
//	+---------------------------------------------------------------+
//	                             | the finished run is reopened:
//	                             v waiting, and at once what follows from that
//
//	* the report of an attempt whose start was not seen
//
// Words on arrows are events. Lost also makes the next attempt due in ready and retrying. The table
// in apply.go has one cell for each event in each state. The event moves the stage, or is old and
// changes nothing, or cannot happen while the journal is whole, which is an error.
//
// A stage is terminal, a run is done when all its stages are, and finished once its end is
// recorded. A retry is the attempt after a failed one, and the rule of the stage limits their
// number. A finished run is reopened by a user, and some of its stages are then executed again.
//
// # Rules
//
// A [Rule] says when a stage is executed ([Trigger]), how many retries it has, and whether it is
// mapped or gathers. What the outcome of a dependency does to a stage that waits for it:
//
//	                           the dependency
//	trigger of     succeeded   failed      cancelled   skipped because   skipped
//	the stage                                          of another        itself
//	all_success    counts      skip        skip        skip              skip; counts
//	                                                                     if gathering
//	all_done       counts      counts      counts      counts            counts
//	any_success    start       counts      counts      counts            counts
//	any_failed     counts      start       counts      start after a     counts
//	                                                   failure
//
// With start, the stage becomes ready at once. With skip, it will not be executed. When all
// dependencies have counted, all_success and all_done start, and any_success and any_failed skip.
//
// # Two kinds of fan-out
//
// A mapped stage ([Rule].Each) has an instance for each element of a list, which is the output of
// one of its dependencies. The list must succeed, whatever the trigger. When the trigger holds and
// the list is known, Apply creates the instances: stages with the next ids, without dependencies,
// with the rule of the mapped stage. The mapped stage then waits for its instances, whatever its
// trigger, and is executed to collect their outputs.
//
// The cells of a matrix are known before the run starts. They are stages of the graph, and one more
// stage depends on all of them to collect their outputs. Its rule has Gather.
//
// A part that skipped itself, because its condition is false, counts as a success of the stage that
// collects it. A stage that collects and will not be executed becomes terminal only after all its
// parts. The stages after it, such as a clean-up, find no part running.
//
// # Invariants
//
//   - A stage is ready, running, retrying, succeeded or failed only if its trigger held. It is
//     never dispatched before.
//   - A terminal state is final, until the finished run is reopened for the stage, or for one
//     upstream of it.
//   - The number of a stage's attempt never falls. Reports of older attempts change nothing.
//   - A skip names its cause: a stage that failed or was cancelled, or one whose own condition or
//     trigger was not met, which may be the stage itself. Of several causes, the first counts.
//   - Once a stage cannot be executed any more, its skip and those of the stages that need it are
//     decided and commanded at once. A stage that collects is commanded later, as above.
//   - Once the run is being cancelled, only stages with the trigger all_done are dispatched. Once a
//     failure has stopped the run, only those and stages with any_failed are. Running stages are
//     left to their workers, which stop them.
//   - [Skip] and [Cancel] are decisions: they take effect when they come back as events. If a
//     worker claims the stage before, the claim holds.
//   - [Run.Pending] returns the last command about each stage that has not come back as an event.
//   - [Finish] is commanded when the last stage becomes terminal.
//   - Instances that a reopened run replaces keep their ids and states. They are not current, and
//     no number or list of stages has them: see [Run.Stages].
//   - After an error the run is as it was.
//
// # How a coordinator uses a run
//
// A coordinator carries out commands, records what happens in a journal, and applies the events
// that it reads from there:
//
//	run := dag.NewRun(graph, dag.Rules{})
//	for event := range journal.read() { // none for a new run
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
// When a coordinator dies, the next one replays the journal, and [Run.Pending] returns what is
// still to be done.
package dag
