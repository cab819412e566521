// Package godags runs pipelines of Go functions and shell commands that depend on each other.
//
// A pipeline is stages and what comes after what. Edges that carry values are typed, and do not
// compile when the types disagree:
//
//	p := godags.New("wine")
//	data := godags.Produce(p, "ingest", ingest)      // func(context.Context) (Dataset, error)
//	model := godags.Then(p, "train", train, data)    // func(context.Context, Dataset) (Model, error)
//	godags.Join(p, "report", report, data, model)    // func(context.Context, Dataset, Model) (string, error)
//
// [Start] runs it in this process, with nothing installed. [Main] makes a whole program of it: run,
// worker, graph, status and more, so that the same stages run on many processes or machines over
// one Redis.
//
// A run is a journal in Redis. Every stage is executed at least once and its outcome is recorded
// exactly once; with no fault each stage is executed once.
package godags
