package languages

import (
	"os"
	"os/exec"
	"testing"

	"github.com/godags/godags"
)

func TestPipeline_PassesDataThroughGoShellAndPython(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("GODAGS_TEST_STRICT") == "1" {
			t.Fatal("python3 is not installed")
		}
		t.Skip("python3 is not installed")
	}
	report, err := godags.Run(t.Context(), Pipeline(), godags.Params(map[string]any{"top": 2}))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(report.Outputs["report"]), `"the 4\nis 3\n"`; got != want {
		t.Errorf("the report is %s, want %s", got, want)
	}
}
