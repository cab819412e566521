// Package runstate computes the projection of a run: its state as its journal tells it. Progress,
// status, graphs, results and the API are all made from a [Run], so that they agree.
//
// A Run knows nothing but the spec and the journal. Two questions need more, which the caller
// passes: [Run.Outputs] reads values from Redis and the value stores, and [Run.Explain] takes a
// [Snapshot] of the workers and queues.
//
// # Reading
//
// [Run.Apply] applies one entry; the other functions call it. [Load] applies a whole journal and
// returns: use it for a look at a run. [Run.ReadNext] reads and applies what is new, and can wait:
// use it to follow a run. [Run.ApplyNew] takes entries that the caller has read from the journal
// already, of which some may have been applied before: a coordinator shows its own run this way.
//
// # Numbers of attempts
//
// A stage counts its attempts in one sequence, which a reopening continues. For a stage with one
// retry, of a run that is later reopened for it:
//
//	after the event     DAG.Attempt   FirstAttempt   NewestAttempt
//	                    running or    of this        that started,
//	                    due           execution      0 if none
//	run submitted            1             1              0
//	attempt 1 started        1             1              1
//	attempt 1 failed         2             1              1
//	attempt 2 succeeded      2             1              2
//	run reopened             3             3              2
//	attempt 3 started        3             3              3
package runstate
