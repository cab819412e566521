package cli

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

func TestHintsBeginWithWhatAPersonTypes(t *testing.T) {
	onPath := t.TempDir()
	t.Setenv("PATH", onPath)
	installed := filepath.Join(onPath, "coordinator")
	if err := os.WriteFile(installed, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	for started, want := range map[string]string{
		"coordinator":         "coordinator",
		installed:             "coordinator",
		"./bin/coordinator":   "./bin/coordinator",
		"/opt/my coordinator": "'/opt/my coordinator'",
	} {
		if got := Call(started); got != want {
			t.Errorf("started as %s: %s, want %s", started, got, want)
		}
	}
}

func TestHintsOfWhatGoRunHasBuiltBeginWithGoRun(t *testing.T) {
	info := &debug.BuildInfo{Path: "example.com/flow/cmd/flow", Main: debug.Module{Path: "example.com/flow"}}
	t.Chdir(t.TempDir())
	expect := func(want string) {
		t.Helper()
		if got := goRun("flow", info); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	expect("go run example.com/flow/cmd/flow")
	if err := os.WriteFile("go.mod", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect("go run ./cmd/flow")
	info.Path = "example.com/flow"
	expect("go run .")
	info.Path = "command-line-arguments"
	expect("flow")
}
