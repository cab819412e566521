// Package delivery decides what a worker does with the attempts of one batch, from the delivery of
// the batch to the last report.
//
// A [Machine] is a pure state machine: it has no clock, no goroutine, no lock, and it does not call
// Redis. The worker tells it what happened, and asks what to do:
//
//	events                            commands
//	New         a batch was delivered     Start    execute an attempt
//	Answer      claims were granted or    Send     report outcomes and claim
//	            refused, reports accepted          attempts, in one call to Redis
//	End         an attempt has ended      Requeue  return attempts to the queue
//	Late        an attempt takes long     Wait     until Redis has answered
//	Revoke      a claim is void           Done     the batch is finished
//	Halt        start no further attempt
//
// An attempt moves from waiting to runnable (its claim was granted, or it is fused), to running, to
// ended, to reported.
//
// These invariants hold at all times:
//
//   - At most one call to Redis is in flight. So outcomes are recorded in the order in which they
//     came about.
//   - At most one attempt is running.
//   - An attempt is started only if its claim was granted, or if it is fused: the success of the
//     attempt before it is not sent yet, and only the holder of that claim can have it recorded.
//   - Of each attempt that was claimed, one outcome is sent, unless its claim was revoked.
package delivery
