package faults

import (
	"fmt"
	"time"
)

// held has two stages side by side that go on until there is a file "go", and one after them. Each
// writes its process number to a file, victim also that of its worker. The first attempt of victim
// never ends.
var held = []stage{
	{Name: "victim", Run: "echo $PPID >worker.$GODAGS_ATTEMPT; echo $$ >victim.$GODAGS_ATTEMPT; until [ -e go ] && [ $GODAGS_ATTEMPT -gt 1 ]; do sleep 0.05; done"},
	{Name: "witness", Run: "echo $$ >witness.$GODAGS_ATTEMPT; until [ -e go ]; do sleep 0.05; done"},
	{Name: "after", After: []string{"victim", "witness"}, Run: "echo after >>ran"},
}

// single is one stage that goes on until there is a file "go", and one after it.
var single = []stage{
	{Name: "only", Run: "echo $$ >only.$GODAGS_ATTEMPT; until [ -e go ]; do sleep 0.05; done; echo only >>ran"},
	{Name: "after", After: []string{"only"}, Run: "echo after >>ran"},
}

// busy is rows of stages that take 20 to 120 ms each, every one after two of the row before. Some
// are commands, which note in a file that they ran, and some store an output.
func busy(rows, width int) (stages []stage) {
	for row := range rows {
		for i := range width {
			s := stage{Name: fmt.Sprintf("s%d_%d", row, i)}
			if row > 0 {
				s.After = []string{fmt.Sprintf("s%d_%d", row-1, i), fmt.Sprintf("s%d_%d", row-1, (i+1)%width)}
			}
			ms := 20 + 50*((row+i)%3)
			switch (row + 2*i) % 3 {
			case 0:
				s.Run = fmt.Sprintf("sleep %.2f; echo $GODAGS_STAGE >>ran; echo $GODAGS_STAGE >$GODAGS_OUTPUT", float64(ms)/1000)
			default:
				s.Task, s.Params = "sleep", map[string]any{"duration": fmt.Sprintf("%dms", ms)}
			}
			stages = append(stages, s)
		}
	}
	return stages
}

// open adds a stage behind all others that goes on until there is a file "go": the run does not
// finish before, however long a test takes for what it does to it.
func open(stages []stage) []stage {
	last := stage{Name: "open", Run: "until [ -e go ]; do sleep 0.05; done"}
	for _, s := range stages {
		last.After = append(last.After, s.Name)
	}
	return append(stages, last)
}

// quickly is the bound of a run in which one fault costs ten seconds at the most. A busy machine
// has longer, but not as long as it takes until Asynq notices a fault.
const quickly = 50 * time.Second
