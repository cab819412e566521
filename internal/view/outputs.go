package view

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/internal/journal"
	"github.com/godags/godags/internal/values"
)

// Sizes in bytes for [Run.Outputs].
const (
	ForPeople = 64 << 10 // more than a person reads
	AnySize   = math.MaxInt
)

// maxOutputs is the number of sink stages whose outputs a [Result] shows.
const maxOutputs = 1000

// Outputs returns the outputs of the stages that nothing depends on, as JSON: a JSON value as it is, text as a string,
// other bytes as {"codec": ..., "base64": ...}, and one of more than most bytes as {"bytes": size}, which is for people: programs would take it for the
// value itself.
func (r *Run) Outputs(ctx context.Context, j *journal.Journal, stores *values.Stores, most int) (map[string]json.RawMessage, error) {
	sinks := slices.Collect(r.Spec.Graph.Sinks())
	sinks = sinks[:min(len(sinks), maxOutputs)]
	recorded, err := j.Outputs(ctx, r.ID, sinks...)
	if err != nil {
		return nil, err
	}
	outputs := make(map[string]json.RawMessage)
	for i, s := range sinks {
		if recorded[i] == nil {
			continue
		}
		name, recorded := r.Name(s), values.Strip(recorded[i])
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
		if outputs[name], err = show(value); err != nil {
			return outputs, fmt.Errorf("output of stage %q: %w", name, err)
		}
	}
	return outputs, nil
}

// show returns an output as JSON. What a command leaves is taken for JSON if it is, as by conditions and fan-outs.
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
