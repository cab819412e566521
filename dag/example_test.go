package dag_test

import (
	"fmt"

	"github.com/godags/godags/dag"
)

// A coordinator in miniature: whatever it is told to do is done at once, and train fails.
func Example() {
	var b dag.Builder
	b.Add("ingest")
	b.Add("train", "ingest")
	b.Add("report", "train")
	graph, err := b.Build()
	if err != nil {
		fmt.Println(err)
		return
	}

	run := dag.NewRun(graph, dag.Rules{})
	commands := run.Pending(nil)
	for i := 0; i < len(commands); i++ { // what follows from an event is appended
		var event dag.Event
		switch c := commands[i]; c.Type {
		case dag.Dispatch:
			event = dag.Event{Type: dag.StageSucceeded, Stage: c.Stage, Attempt: c.Attempt}
			if graph.Name(c.Stage) == "train" {
				event.Type = dag.StageFailed
			}
			fmt.Println(graph.Name(c.Stage), event.Type)
		case dag.Skip:
			event = dag.Event{Type: dag.StageSkipped, Stage: c.Stage, Cause: c.Cause}
			fmt.Println(graph.Name(c.Stage), "skipped because of", graph.Name(c.Cause))
		case dag.Finish:
			event = dag.Event{Type: dag.RunFinished}
			fmt.Println("the run", run.Outcome())
		}
		if commands, err = run.Apply(event, commands); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// ingest succeeded
	// train failed
	// report skipped because of train
	// the run failed
}

func ExampleBuilder_Build() {
	var b dag.Builder
	b.Add("ingest")
	b.Add("train", "ingset")
	b.Add("tune", "score")
	b.Add("score", "tune")
	_, err := b.Build()
	fmt.Println(err)
	// Output:
	// invalid pipeline: 2 problem(s)
	//   stage "train" comes after "ingset", which does not exist (did you mean "ingest"?)
	//   these stages wait for each other: "tune" -> "score" -> "tune"
}

func ExampleGraph_Levels() {
	var b dag.Builder
	b.Add("stage_1")
	b.Add("stage_2")
	b.Add("stage_3", "stage_2")
	b.Add("stage_4", "stage_2")
	b.Add("stage_5", "stage_1")
	b.Add("stage_6", "stage_3", "stage_4", "stage_5")
	graph, err := b.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	for level, stages := range graph.Levels() {
		fmt.Print(level, ":")
		for _, s := range stages {
			fmt.Print(" ", graph.Name(s))
		}
		fmt.Println()
	}
	// Output:
	// 0: stage_1 stage_2
	// 1: stage_3 stage_4 stage_5
	// 2: stage_6
}
