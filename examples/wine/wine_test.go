package wine

import (
	"testing"

	"github.com/godags/godags"
)

func TestPipeline_MeasuresTheAccuracy(t *testing.T) {
	report, err := godags.Run(t.Context(), Pipeline())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(report.Outputs["accuracy"]), `"Accuracy: 0.9722"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
