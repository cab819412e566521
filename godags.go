// Package godags runs pipelines of Go functions and shell commands that depend on each other.
//
// A pipeline is a set of stages and the order between them. Edges that carry values are typed, and
// do not compile when the types differ:
//
//	func ingest(context.Context) (Dataset, error)
//	func train(context.Context, Dataset) (Model, error)
//	func report(context.Context, Dataset, Model) (string, error)
//
//	p := godags.New("wine")
//	data := godags.Produce(p, "ingest", ingest)
//	model := godags.Then(p, "train", train, data)
//	text := godags.Join(p, "report", report, data, model)
//
// There are three ways to run it.
//
// In this process: [Run] waits until the run is finished. Nothing needs to be installed.
//
//	report, err := godags.Run(ctx, p, godags.Concurrency(8))
//	s, err := godags.Result(report, text) // a string
//
// In a service: [Open] connects to a Redis and returns a [Client]. The client submits runs and
// shows them. [Client.Worker] executes stages and [Client.Coordinator] decides which are ready;
// both may run in this process or in others.
//
//	client, err := godags.Open(ctx, "redis://localhost:6379", godags.Concurrency(8))
//	stopped := make(chan error, 2)
//	go func() { stopped <- client.Coordinator().Run(ctx) }()
//	go func() { stopped <- client.Worker(p).Run(ctx) }()
//
//	run, err := client.Submit(ctx, p, godags.RunID("nightly-2026-11-30"))
//	report, err := client.Wait(ctx, run) // or Follow, Status, Logs, Cancel, Retry
//
//	stop() // ends ctx: the worker finishes the running stages
//	err = errors.Join(<-stopped, <-stopped, client.Close())
//
// If the coordinator or the worker ends early, the service must end ctx for the other as well: the
// example of [Client.Worker] does so, and stops at SIGTERM.
//
// Processes that share a Redis must share a signing key: set the environment variable GODAGS_KEY to
// the same secret text, of at least 16 bytes, in each. A worker finds the function of a stage by
// the names of pipeline and stage, so any process that builds the same pipeline can execute it.
//
// As a program: [Main] makes a command line of it, with run, worker, graph, status and more.
//
// Values are stored in caches: see the package github.com/godags/godags/cache. Rules of
// dependencies and mistakes of pipelines are in github.com/godags/godags/dag, and handlers and
// middleware in github.com/godags/godags/tasks.
//
// Options that do not fit do not compile: [StageOption], [PipelineOption], [MapOption],
// [RunOption], [SubmitOption] and [ClientOption] say where an option belongs. Some options suit
// several.
//
// The record of a run is a journal in Redis. Every stage is executed at least once and its outcome
// is recorded exactly once. Without faults each stage is executed once.
package godags
