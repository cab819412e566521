package picture

import (
	"bufio"
	"encoding/json"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/api"
	"github.com/godags/godags/internal/term"
)

// Document is what [JSON] holds: every stage, however many there are.
// [Draw] writes it stage by stage, one a line, in the order in which the stages were added.
type Document struct {
	Name      string  `json:"name"`      // of the pipeline
	Run       string  `json:"run"`       // the run's id; "" for a pipeline that is not run
	Stages    []Stage `json:"stages"`    // never null
	Edges     int     `json:"edges"`     // number of dependencies
	Collapsed bool    `json:"collapsed"` // whether stages are groups: always false
}

// Stage is a stage of a [Document].
type Stage struct {
	Name  string   `json:"name"`
	After []string `json:"after"` // what it depends on, in the order given; never null
	Level int      `json:"level"` // length of the longest path that leads to it
	State string   `json:"state"` // such as "running"; "" for a pipeline that is not run

	// Reason says why a stage of a run is neither running nor finished; nil: it is one of these.
	Reason *api.Reason `json:"reason,omitempty"`
}

func writeJSON(w *bufio.Writer, in Input) error {
	head, err := json.Marshal(struct {
		Name string `json:"name"`
		Run  string `json:"run"`
	}{in.Name, in.Run})
	if err != nil {
		return err
	}

	// The document is written stage by stage: the JSON of a million stages never fills the memory.
	w.Write(term.EscapeJSON(head[:len(head)-1]))
	w.WriteString(`,"stages":[`)
	for s := range in.Graph.Len() {
		line, err := json.Marshal(stageOf(in, dag.StageID(s)))
		if err != nil {
			return err
		}

		if s > 0 {
			w.WriteByte(',')
		}

		w.WriteByte('\n')
		w.Write(term.EscapeJSON(line))
	}

	tail, err := json.Marshal(struct {
		Edges     int  `json:"edges"`
		Collapsed bool `json:"collapsed"`
	}{in.Graph.Edges(), false})
	if err != nil {
		return err
	}

	w.WriteString("\n],")
	w.Write(tail[1:])
	return w.WriteByte('\n')
}

func stageOf(in Input, s dag.StageID) Stage {
	deps := in.Graph.Deps(s)
	stage := Stage{Name: in.Graph.Name(s), After: make([]string, len(deps)), Level: in.Graph.Level(s)}
	for i, d := range deps {
		stage.After[i] = in.Graph.Name(d)
	}

	if in.State != nil {
		stage.State = in.State(s).String()
	}

	if in.Reason != nil {
		if reason, ok := in.Reason(s); ok {
			stage.Reason = &reason
		}
	}
	return stage
}
