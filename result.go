package godags

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/godags/godags/cache"
	"github.com/godags/godags/internal/runstate"
)

// Result returns the output of a stage without dependents, of any size, in its own type:
//
//	report, err := godags.Run(ctx, p)
//	total, err := godags.Result(report, sum) // sum is the godags.Output[int] of the stage
//
// The error says why the stage has no output in the report: it did not succeed, or another stage
// depends on it.
func Result[T any](report *Report, of Output[T]) (v T, err error) {
	if report == nil || of.Stage == nil {
		return v, fmt.Errorf("result: the report or the stage is nil")
	}

	shown, ok := report.Outputs[of.Name()]
	if !ok {
		return v, fmt.Errorf("result of stage %q: run %s: %s", of.Name(), report.Run, whyNoOutput(report, of.Stage))
	}

	// The report shows outputs as JSON, for people and other programs. The codec wants its own
	// bytes back.
	payload, err := payloadOf(shown, of.read)
	if err == nil {
		err = of.decode(&v, func(v any) error { return of.read.Decode(payload, v) })
	}
	if err != nil {
		return v, fmt.Errorf("result of stage %q: %w", of.Name(), err)
	}

	return v, nil
}

// whyNoOutput says why a report has no output of a stage.
func whyNoOutput(report *Report, s *Stage) string {
	for _, other := range s.pipeline.stages {
		if slices.Contains(other.after, s) {
			return fmt.Sprintf("stage %q depends on it: a report has outputs of stages without dependents only", other.name)
		}
	}
	if report.Stages.Total > runstate.MaxOutputs {
		return fmt.Sprintf("it did not succeed, or is not among the %d outputs that a report holds", runstate.MaxOutputs)
	}
	return "it did not succeed"
}

// payloadOf returns the bytes that a codec made, from the form that a report shows them in.
func payloadOf(shown json.RawMessage, codec cache.Codec) ([]byte, error) {
	if codec.Name() == cache.JSON.Name() {
		return shown, nil
	}

	// Text of other codecs is shown as a JSON string; JSON of a command is shown as it is;
	// everything else as base64.
	var other struct{ Base64 []byte }
	if err := json.Unmarshal(shown, &other); err == nil && other.Base64 != nil {
		return other.Base64, nil
	}

	var text string
	if err := json.Unmarshal(shown, &text); err == nil {
		return []byte(text), nil
	}

	return shown, nil
}
