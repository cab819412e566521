//go:build unix

package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
)

// helperEnv makes the test binary a program that exits with status 7.
const helperEnv = "TASKS_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) != "" {
		os.Exit(7)
	}
	os.Exit(m.Run())
}

// fakeValues are the outputs of other stages, and the one of the stage under test.
type fakeValues struct {
	Values
	outputs map[string]string
	own     []byte
}

func (v *fakeValues) Output(_ context.Context, stage string) ([]byte, error) {
	if value, ok := v.outputs[stage]; ok {
		return []byte(value), nil
	}
	return nil, fmt.Errorf("stage %s: %w", stage, ErrNoOutput)
}

func (v *fakeValues) SetOutput(value []byte) { v.own = value }

// attempt is a stage that executes a command, with its values and its log.
type attempt struct {
	Stage
	values *fakeValues
	log    *LogBuffer
}

func newAttempt(params any) *attempt {
	text, err := json.Marshal(params)
	if err != nil {
		panic(err)
	}
	a := &attempt{values: &fakeValues{}, log: NewLogBuffer(0)}
	a.Stage = Stage{Run: "r1", Pipeline: "wine", Name: "train", Attempt: 2, Params: text, Log: a.log, Values: a.values}
	return a
}

func shell(text string) *attempt { return newAttempt(map[string]string{"run": text}) }

func argv(argv ...string) *attempt { return newAttempt(map[string][]string{"argv": argv}) }

func (a *attempt) do(t *testing.T) error {
	t.Helper()
	return Run(t.Context(), Command{}, &a.Stage)
}

// must executes the attempt and returns its log.
func (a *attempt) must(t *testing.T) string {
	t.Helper()
	if err := a.do(t); err != nil {
		t.Fatalf("%v\n%s", err, a.log.Bytes())
	}
	return string(a.log.Bytes())
}

var errStopped = errors.New("the run was cancelled")

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
