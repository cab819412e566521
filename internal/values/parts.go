package values

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
)

// PartsCodec is the codec of an output that is a [Parts] in JSON.
const PartsCodec = "parts"

// Parts says which stages recorded the parts of an output, so that readers can fetch them. Only a
// mapped stage, or one that gathers the cells of its matrix, has such an output.
type Parts struct {
	// First is the first instance. It is 0 for cells, which are stages of the graph.
	First dag.StageID `json:"first,omitempty"`
	Count int         `json:"count"`
	// Attempts are those that succeeded, encoded like those of dependencies in tasks.
	Attempts []byte `json:"attempts,omitempty"`
}

// PartsOf returns the parts of the output of a stage. It returns false for an output that is one
// value.
func PartsOf(sp *spec.Spec, stage dag.StageID, stored []byte) (p Parts, ok bool, err error) {
	kind := sp.Kind(stage)
	codec, payload, err := cache.Split(stored)
	if err != nil || codec != PartsCodec || !kind.Gather && kind.ForEach == "" {
		return p, false, nil
	}

	err = json.Unmarshal(payload, &p)
	damaged := err != nil || kind.Gather && p.Count != len(sp.Graph.Deps(stage)) ||
		!kind.Gather && (int(p.First) < sp.Graph.Len() || p.Count < 0 || p.Count > dag.MaxInstances)
	if damaged {
		return p, false, fmt.Errorf("the output of stage %q is damaged", sp.Graph.Name(stage))
	}

	return p, true, nil
}

// Stages returns the stages that recorded the parts of the output of a stage, in order.
func (p Parts) Stages(sp *spec.Spec, stage dag.StageID) []dag.StageID {
	if sp.Kind(stage).Gather {
		return sp.Graph.Deps(stage)
	}
	list := make([]dag.StageID, p.Count)
	for i := range list {
		list[i] = p.First + dag.StageID(i)
	}
	return list
}

// ErrNotJSON is the error of [Element].
var ErrNotJSON = errors.New("it is neither JSON nor text")

// Element returns an output as an element of a JSON array: JSON unchanged, text as a string without
// its final line breaks, and null for no output. Other outputs are [ErrNotJSON].
func Element(stored []byte) (json.RawMessage, error) {
	if stored == nil {
		return json.RawMessage("null"), nil
	}

	// JSON that is not UTF-8 is refused: readers of the array would replace such bytes.
	codec, payload, err := cache.Split(stored)
	switch {
	case err != nil:
		return nil, err
	case codec != cache.JSON.Name() && codec != cache.Raw.Name() || !utf8.Valid(payload):
		return nil, ErrNotJSON
	case codec == cache.JSON.Name() || json.Valid(payload):
		return bytes.TrimSpace(payload), nil
	}

	return json.Marshal(string(bytes.TrimRight(payload, "\r\n")))
}
