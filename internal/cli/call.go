package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// Call returns what a user types to start this program again: the last part of started, "go run"
// with the package, or started itself.
func Call(started string) string {
	name := filepath.Base(started)
	// A shell finds the program by its name only if it is first on PATH.
	if found, err := exec.LookPath(name); err == nil && found == started {
		return name
	}
	// `go run` removes the program that it has built, so its path cannot be started again.
	if info, ok := debug.ReadBuildInfo(); ok && strings.Contains(started, "go-build") {
		return goRun(name, info)
	}
	return shellWord(started)
}

func goRun(name string, info *debug.BuildInfo) string {
	pkg := info.Path
	if pkg == "command-line-arguments" { // `go run` was given files
		return name
	}
	// In the root of the module the short form works too.
	if _, err := os.Stat("go.mod"); err == nil {
		pkg = "." + strings.TrimPrefix(pkg, info.Main.Path)
	}
	return "go run " + shellWord(pkg)
}
