package runstate

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/spec"
	"github.com/godags/godags/internal/values"
)

// Limits for [Run.Outputs], in bytes.
const (
	ForPeople = 64 << 10 // more than a person reads
	AnySize   = math.MaxInt
)

// fetchedAtOnce is how many outputs one call to Redis reads.
const fetchedAtOnce = 256

// MaxOutputs is the number of leaves whose outputs are read: a pipeline may have 100,000 leaves.
const MaxOutputs = 1000

// Outputs returns the outputs of the first [MaxOutputs] leaves, by stage, as JSON: a JSON value
// unchanged, text as a string, other bytes as {"codec": ..., "base64": ...}.
//
// The outputs of the instances or cells of a stage become an array. An output of more than limit
// bytes is replaced by {"bytes": size}. That is for people only: a program would take it for the
// value itself.
func (r *Run) Outputs(ctx context.Context, j *journal.Journal, stores *values.Stores, limit int) (map[string]json.RawMessage, error) {
	leaves := slices.Collect(r.Spec.Graph.Leaves())
	leaves = leaves[:min(len(leaves), MaxOutputs)]
	recorded, err := j.Outputs(ctx, r.ID, leaves...)
	if err != nil {
		return nil, err
	}

	reader := outputReader{journal: j, stores: stores, run: r.ID, spec: r.Spec, limit: limit}
	outputs := make(map[string]json.RawMessage)
	for i, s := range leaves {
		if recorded[i] == nil {
			continue
		}

		recorded := values.Strip(recorded[i])
		if values.IsNone(recorded) {
			continue
		}

		output, err := reader.read(ctx, s, recorded)
		if err != nil {
			return outputs, err
		}
		outputs[r.Name(s)] = output
	}

	return outputs, nil
}

// outputReader reads outputs of a run and converts them to JSON.
type outputReader struct {
	journal *journal.Journal
	stores  *values.Stores
	run     journal.RunID
	spec    *spec.Spec
	limit   int // bytes of one output
}

// read returns the output of a stage of the graph, by what the journal has recorded.
func (o outputReader) read(ctx context.Context, s dag.StageID, recorded []byte) (json.RawMessage, error) {
	// Before it is opened: a large value may be in a store that is slow or expensive to read.
	if size := values.Size(recorded); size > o.limit {
		return sizeOnly(size), nil
	}

	value, err := o.stores.Open(ctx, o.spec, o.run, s, recorded)
	if err != nil {
		return nil, err
	}

	output, err := o.convert(ctx, s, value)
	if err != nil {
		return nil, fmt.Errorf("output of stage %q: %w", o.spec.Graph.Name(s), err)
	}
	return output, nil
}

// convert returns a value as JSON: an array if it stands for the outputs of instances or cells.
func (o outputReader) convert(ctx context.Context, s dag.StageID, value []byte) (json.RawMessage, error) {
	parts, ok, err := values.PartsOf(o.spec, s, value)
	if err != nil {
		return nil, err
	}
	if !ok {
		return toJSON(value)
	}

	size := 0
	list := make([]json.RawMessage, 0, parts.Count)
	for ids := range slices.Chunk(parts.Stages(o.spec, s), fetchedAtOnce) {
		recorded, err := o.journal.Outputs(ctx, o.run, ids...)
		if err != nil {
			return nil, err
		}

		for i, signed := range recorded {
			recorded[i] = values.Strip(signed)
			size += values.Size(recorded[i])
		}

		// Above the limit only the sizes are still added up.
		for i := 0; i < len(ids) && size <= o.limit; i++ {
			element, err := o.part(ctx, s, ids[i], recorded[i])
			if err != nil {
				return nil, fmt.Errorf("part %d: %w", len(list), err)
			}
			list = append(list, element)
		}
	}

	if size > o.limit {
		return sizeOnly(size), nil
	}
	return json.Marshal(list)
}

// part returns the output of an instance or a cell of a stage as an element of the array.
func (o outputReader) part(ctx context.Context, s, part dag.StageID, recorded []byte) (json.RawMessage, error) {
	// Keeps the place of a part that has no output: the others keep their index.
	if len(recorded) == 0 || values.IsNone(recorded) {
		return values.Element(nil)
	}

	// In the spec each cell is a stage, and instances have only their mapped stage.
	if int(part) < o.spec.Graph.Len() {
		s = part
	}

	value, err := o.stores.Open(ctx, o.spec, o.run, s, recorded)
	if err != nil {
		return nil, err
	}

	element, err := values.Element(value)
	if errors.Is(err, values.ErrNotJSON) {
		return toJSON(value)
	}
	return element, err
}

// sizeOnly stands for an output that is too large to be shown.
func sizeOnly(size int) json.RawMessage { return fmt.Appendf(nil, `{"bytes":%d}`, size) }

// toJSON returns a value as JSON.
func toJSON(value []byte) (json.RawMessage, error) {
	codec, payload, err := cache.Split(value)
	if err != nil {
		return nil, err
	}

	// Commands write bytes without a codec. If they are JSON, conditions and fan-outs take them for
	// JSON, and so do displays.
	text := (codec == cache.JSON.Name() || codec == cache.Raw.Name()) && utf8.Valid(payload)
	switch {
	case text && json.Valid(payload):
		return bytes.TrimSpace(payload), nil
	case text && codec == cache.Raw.Name():
		return json.Marshal(string(payload))
	}

	return json.Marshal(map[string]string{"codec": codec, "base64": base64.StdEncoding.EncodeToString(payload)})
}
