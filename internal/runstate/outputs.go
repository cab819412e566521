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
	"github.com/godags/godags/internal/values"
)

// Sizes in bytes for [Run.Outputs].
const (
	ForPeople = 64 << 10 // more than a person reads
	AnySize   = math.MaxInt
)

// fetchedAtOnce is how many recorded outputs are asked for in one call to Redis.
const fetchedAtOnce = 256

// MaxOutputs is the number of sink stages whose outputs a [Result] shows.
const MaxOutputs = 1000

// Outputs returns the outputs of the stages that nothing depends on, as JSON: a JSON value as it
// is, text as a string, other bytes as {"codec": ..., "base64": ...}, and one of more than most
// bytes as {"bytes": size}, which is for people: programs would take it for the value itself. The
// outputs of instances or cells are an array, in which those that are not JSON or text are like
// other bytes.
func (r *Run) Outputs(ctx context.Context, j *journal.Journal, stores *values.Stores, most int) (map[string]json.RawMessage, error) {
	sinks := slices.Collect(r.Spec.Graph.Sinks())
	sinks = sinks[:min(len(sinks), MaxOutputs)]
	recorded, err := j.Outputs(ctx, r.ID, sinks...)
	if err != nil {
		return nil, err
	}

	outputs := make(map[string]json.RawMessage)
	for i, s := range sinks {
		if recorded[i] == nil {
			continue
		}

		name := r.Name(s)
		recorded := values.Strip(recorded[i])
		if values.IsNone(recorded) {
			continue
		}
		if size := values.Size(recorded); size > most {
			outputs[name] = json.RawMessage(fmt.Sprintf(`{"bytes":%d}`, size))
			continue
		}

		value, err := stores.Open(ctx, r.Spec, r.ID, s, recorded)
		if err != nil {
			return outputs, err
		}
		if outputs[name], err = r.show(ctx, j, stores, s, value, most); err != nil {
			return outputs, fmt.Errorf("output of stage %q: %w", name, err)
		}
	}

	return outputs, nil
}

// show returns an output as JSON: if it has parts, an array of them.
func (r *Run) show(
	ctx context.Context, j *journal.Journal, stores *values.Stores, stage dag.StageID, stored []byte, most int,
) (json.RawMessage, error) {
	parts, ok, err := values.PartsOf(r.Spec, stage, stored)
	if err != nil {
		return nil, err
	}
	if !ok {
		return show(stored)
	}

	size := 0
	list := make([]json.RawMessage, 0, parts.Count)
	for ids := range slices.Chunk(parts.Stages(r.Spec, stage), fetchedAtOnce) {
		recorded, err := j.Outputs(ctx, r.ID, ids...)
		if err != nil {
			return nil, err
		}

		for i, signed := range recorded {
			recorded[i] = values.Strip(signed)
			size += values.Size(recorded[i])
		}

		for i := 0; i < len(ids) && size <= most; i++ {
			element, err := r.showPart(ctx, stores, stage, ids[i], recorded[i])
			if err != nil {
				return nil, fmt.Errorf("part %d: %w", len(list), err)
			}
			list = append(list, element)
		}
	}

	if size > most {
		return fmt.Appendf(nil, `{"bytes":%d}`, size), nil
	}

	return json.Marshal(list)
}

// showPart returns the output of an instance, or of a cell, as an element of the array.
func (r *Run) showPart(
	ctx context.Context, stores *values.Stores, stage, part dag.StageID, recorded []byte,
) (json.RawMessage, error) {
	if len(recorded) == 0 || values.IsNone(recorded) {
		return values.Element(nil)
	}

	if int(part) < r.Spec.Graph.Len() {
		stage = part // a cell; an instance is not in the graph
	}

	value, err := stores.Open(ctx, r.Spec, r.ID, stage, recorded)
	if err != nil {
		return nil, err
	}

	element, err := values.Element(value)
	if errors.Is(err, values.ErrNotJSON) {
		return show(value)
	}

	return element, err
}

// show returns an output as JSON. What a command leaves is taken for JSON if it is, as by
// conditions and fan-outs.
func show(stored []byte) (json.RawMessage, error) {
	codec, payload, err := cache.Split(stored)
	if err != nil {
		return nil, err
	}

	shown := (codec == cache.JSON.Name() || codec == cache.Raw.Name()) && utf8.Valid(payload)
	switch {
	case shown && json.Valid(payload):
		return bytes.TrimSpace(payload), nil
	case shown && codec == cache.Raw.Name():
		return json.Marshal(string(payload))
	}

	return json.Marshal(map[string]string{"codec": codec, "base64": base64.StdEncoding.EncodeToString(payload)})
}
